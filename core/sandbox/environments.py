"""Makes the environments of optional groups with pip, from pinned files of ours and nothing that a user wrote.

A private environment holds only what conflicts with ours: a ``.pth`` line lays our libraries behind its own. What is
half made is removed. Nothing here runs in the sandbox, because pip needs the network.
"""

import contextlib
import os
import re
import selectors
import shutil
import signal
import subprocess  # noqa: TID251
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from core.domain.errors import Cancelled, OverLimit, Refused, Unavailable
from core.domain.groups import Group, Private

Progress = Callable[[float | None, str], None]

MB = 1024 * 1024
SPARE_MB = 500
"""What stays free on the disk behind an installation."""
TICK_SECONDS = 0.2
KEPT_LINES = 12
TOLD = re.compile(r"(Collecting|Downloading|Using cached|Installing collected packages|Building|Preparing)\b(.{0,80})")
AGAIN = "Check the network and try again; the log holds pip's own message."


def make(group: Group, progress: Progress, cancel: threading.Event) -> None:
    """Install a group where its children look for it. Raises Cancelled, OverLimit, or Unavailable with pip's last line."""
    if isinstance(group, Private):
        make_private(group, progress, cancel)
    else:
        progress(None, f"Installing {group.title} beside Portolan's own libraries")
        _pip([sys.executable], group, progress, cancel)


def make_private(group: Private, progress: Progress, cancel: threading.Event) -> None:
    """Make the environment unless it is there whole; two that ask at once wait for one another."""
    with _only_one(group, cancel):
        if group.installed():
            return
        _check_room(group)
        try:
            progress(None, f"Creating an environment for {group.title}")
            remove(group)
            _venv(group, cancel)
            _pip([str(group.python)], group, progress, cancel)
            group.ready.write_text(group.stamp)
        finally:
            if not group.installed():
                remove(group)


def remove(group: Private) -> None:
    """Remove the environment, whole or half made."""
    group.ready.unlink(missing_ok=True)
    shutil.rmtree(group.folder, ignore_errors=True)


def _venv(group: Private, cancel: threading.Event) -> None:
    group.folder.parent.mkdir(parents=True, exist_ok=True)
    code, said = _run([sys.executable, "-m", "venv", "--without-pip", str(group.folder)], lambda line: None, cancel)
    if code != 0:
        raise Unavailable(
            f"Python could not create an environment: {_last(said)}", "Free some disk space and try again."
        )
    (place,) = group.folder.glob("lib/python*/site-packages")
    ours = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (place / "portolan.pth").write_text("".join(f"{path}\n" for path in ours))


def _pip(python: list[str], group: Group, progress: Progress, cancel: threading.Event) -> None:
    def tell(line: str) -> None:
        if match := TOLD.search(line):
            progress(None, (match[1] + match[2]).strip()[:120])

    words = ["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--compile", "-r"]
    code, said = _run([*python, *words, str(group.requirements)], tell, cancel)
    if code != 0:
        raise Unavailable(f"pip could not install {group.title}: {_last(said)}", AGAIN)


def _run(command: list[str], tell: Callable[[str], None], cancel: threading.Event) -> tuple[int, list[str]]:
    """Run a command of ours in a process group of its own; return its exit code and last lines. Raises Cancelled."""
    kept: deque[str] = deque(maxlen=KEPT_LINES)
    names = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PORTOLAN"))}
    with subprocess.Popen(  # noqa: S603
        command, env=names, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            for line in _lines(process, cancel):
                kept.append(line)
                tell(line)
            return process.wait(), list(kept)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _lines(process: "subprocess.Popen[bytes]", cancel: threading.Event) -> Iterator[str]:
    """Yield lines as they come. Raises Cancelled within a moment of being asked."""
    assert process.stdout is not None
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if cancel.is_set():
                raise Cancelled("The installation was stopped.", "Start it again when you need it.")
            if not selector.select(TICK_SECONDS):
                continue
            data = os.read(process.stdout.fileno(), 1 << 16)
            if not data:
                return
            *whole, rest = (rest + data).split(b"\n")
            yield from (line.decode(errors="replace").strip() for line in whole)


@contextlib.contextmanager
def _only_one(group: Private, cancel: threading.Event) -> Iterator[None]:
    import fcntl  # absent on Windows

    group.folder.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{group.folder}.lock").open("w") as lock:
        while True:
            if cancel.is_set():
                raise Cancelled("The installation was stopped.", "Start it again when you need it.")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                time.sleep(TICK_SECONDS)
        yield


def _check_room(group: Private) -> None:
    free = shutil.disk_usage(group.folder.parent).free // MB
    if free < 2 * group.megabytes + SPARE_MB:
        raise OverLimit(
            f"{group.title} needs about {2 * group.megabytes:,} MB during installation; the disk has {free:,} MB.",
            "Free some disk space and try again.",
        )


def _last(said: list[str]) -> str:
    """Return the line that says most: pip's last error, else its last words."""
    errors = [line for line in said if line.startswith("ERROR")]
    return ([*said, *errors] or ["no message was given"])[-1][:300]


def named(id: str, groups: dict[str, Group]) -> Group:
    """Return a group by its id. Raises Refused for a name off the table."""
    if id not in groups:
        raise Refused(f"There is no group called {id!r}.", f"Choose one of: {', '.join(groups)}.")
    return groups[id]
