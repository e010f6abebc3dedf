"""A bound of the kernel's own on how many threads and processes a child has, where this process may set one.

That is a control group with the controller ``pids``: as root of most machines and containers, seldom as a plain user. The
watch (core/sandbox/watch.py) bounds threads everywhere, but looks only ten times a second.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

SPARE = 64
"""Above the bound of the watch, so that a child is ended in words and not by a refusal of the kernel that a library reports."""

MOUNTS = {"pids": Path("/sys/fs/cgroup/pids"), "": Path("/sys/fs/cgroup")}
"""Where the first and the second version of control groups lie, by the controllers that /proc/self/cgroup names."""

LEAVE_SECONDS = 1.0


@contextlib.contextmanager
def bounded(pid: int, most: int) -> Iterator[bool]:
    """Bound the threads of a process and all below it as long as the block lasts; say whether that was possible."""
    group = _group(pid, most + SPARE)
    try:
        yield group is not None
    finally:
        if group is not None:
            _remove(group)


def clear() -> None:
    """Remove the groups that servers left which were killed; the kernel keeps those with processes in them."""
    for here in _own():
        for group in here.glob("portolan-*"):
            with contextlib.suppress(OSError):
                group.rmdir()


def _group(pid: int, most: int) -> Path | None:
    for here in _own():
        group = here / f"portolan-{os.getpid()}-{pid}"
        try:
            group.mkdir()
        except OSError:  # no such controller here, or not for us
            continue
        try:
            (group / "pids.max").write_text(str(most))
            (group / "cgroup.procs").write_text(str(pid))
        except OSError:
            _remove(group)
        else:
            return group
    return None


def _own() -> list[Path]:
    """Return this process's own groups that may bound threads."""
    try:
        rows = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return []
    return [MOUNTS[controllers] / path.lstrip("/") for _, controllers, path in rows if controllers in MOUNTS]


def _remove(group: Path) -> None:
    """Remove a group whose processes were killed; the kernel lets go of them a moment later."""
    deadline = time.monotonic() + LEAVE_SECONDS
    while True:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            try:
                group.rmdir()
            except OSError:
                if time.monotonic() < deadline:
                    time.sleep(0.005)
                    continue
        return
