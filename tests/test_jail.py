"""Each wall of the jail is attacked from inside, in a child that runs what a hostile model could run."""

import platform
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.border import jail
from core.border.jail import Isolation, syscalls
from core.domain.codec import Json
from core.domain.errors import Crashed, OverLimit
from core.domain.limits import Limits
from core.sandbox import Sandbox
from tests.serving import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the jail is full on Linux only")

SMALL = Limits(wall_seconds=20, cpu_seconds=10, memory_mb=600, file_mb=32)
COLUMN = 0 if platform.machine() == "x86_64" else 1
EPERM, ENOSYS = 1, 38


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path_factory.mktemp("scratch"), "tests.hostile.attacks")
    yield sandbox
    sandbox.close()


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    path = tmp_path / "canary"
    path.write_text("secret")
    return path


def ask(sandbox: Sandbox, task: str, **args: object) -> dict[str, object]:
    model = Path(__file__)
    with sandbox.run(task, args, {"model": model}, SMALL, kind="bare") as done:
        return done.value


def refused(sandbox: Sandbox, name: str, target: object = "") -> object:
    return ask(sandbox, "act", name=name, target=str(target))["refused"]


def test_self_test_finds_every_wall(sandbox: Sandbox) -> None:
    assert sandbox.isolation.full, sandbox.isolation
    assert len(sandbox.isolation.walls) == 12


def test_one_fallen_wall_is_named() -> None:
    isolation = Isolation.of({"no network": False, "no other process": True})
    assert not isolation.full
    assert isolation.detail == "these walls do not hold: no network"
    assert not Isolation.of({}).full


FILE_ACTS = (
    "read", "read through proc", "read the parent's environment", "write", "truncate", "remove", "rename", "move in",
    "link in", "symlink out", "fifo", "make a folder", "write an input", "write beside",
)  # fmt: skip


@pytest.mark.parametrize("name", FILE_ACTS)
def test_files_outside_are_out_of_reach(sandbox: Sandbox, canary: Path, name: str) -> None:
    assert refused(sandbox, name, canary)
    assert canary.read_text() == "secret"
    assert [path.name for path in canary.parent.iterdir()] == ["canary"]


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/hosts", "/proc/1/cmdline", "/proc/net/tcp", "/dev/shm/x"])
def test_the_system_tells_nothing(sandbox: Sandbox, path: str) -> None:
    assert refused(sandbox, "read", path)


@pytest.mark.parametrize("path", ["/", "/home", "/tmp", "/etc", str(Path.home()), str(Path(__file__).parents[1])])
def test_folders_cannot_be_listed(sandbox: Sandbox, path: str) -> None:
    assert refused(sandbox, "list", path)


def test_other_jobs_cannot_be_seen(sandbox: Sandbox) -> None:
    assert refused(sandbox, "list", sandbox._folder)


def test_modes_and_times_outside_stay(sandbox: Sandbox, canary: Path) -> None:
    canary.chmod(0o600)
    before = canary.stat()
    ask(sandbox, "change_attributes", target=str(canary))
    after = canary.stat()
    assert (after.st_mode, after.st_mtime) == (before.st_mode, before.st_mtime)


@pytest.mark.parametrize("name", ["tcp", "udp"])
def test_no_network(sandbox: Sandbox, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        assert refused(sandbox, name, listener.getsockname()[1])
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize("name", ["unix socket", "unix socket pair"])
def test_no_unix_sockets(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        assert "not permitted" in str(refused(sandbox, name, tmp_path / "s"))


PROCESS_ACTS = (
    "shell", "spawn", "exec", "fork", "signal the parent", "signal everybody", "slow the parent down",
    "leave the group", "shared memory", "raise a limit",
)  # fmt: skip


@pytest.mark.parametrize("name", PROCESS_ACTS)
def test_no_process_and_no_signal(sandbox: Sandbox, name: str) -> None:
    assert refused(sandbox, name)


def test_every_listed_call_is_refused(sandbox: Sandbox) -> None:
    numbers = {name: pair[COLUMN] for name, pair in syscalls.REFUSED.items() if pair[COLUMN] is not None}
    answers = ask(sandbox, "syscalls", calls=[[number, 0, 0, 0, 0, 0] for number in numbers.values()])["answers"]
    assert isinstance(answers, list)
    assert dict(zip(numbers, answers, strict=True)) == {name: [-1, EPERM] for name in numbers}


CALLS = {
    "clone3": ([syscalls.CLONE3[COLUMN], 0, 0], ENOSYS),
    "clone of a process": ([syscalls.CLONE[COLUMN], 17, 0, 0, 0, 0], EPERM),
    "outlive the parent": ([syscalls.PRCTL[COLUMN], 1, 0, 0, 0, 0], EPERM),
    "signal to a thread of others": ([syscalls.TGKILL[COLUMN], 1, 1, 0], EPERM),
    "call of a later kernel": ([syscalls.HIGHEST + 1, 0, 0], ENOSYS),
    "x32 double of socket": ([0x40000000 + 41, 2, 1, 0], ENOSYS),
}


FILE_SIGNALS = {f"fcntl {name}": (syscalls.FCNTL, [value, 1]) for name, value in syscalls.FILE_SIGNALS.items()}
DEVICE_SIGNALS = {f"ioctl {name}": (syscalls.IOCTL, [value, 0]) for name, value in syscalls.DEVICE_SIGNALS.items()}
CALLS |= {name: ([call[COLUMN], 0, *args], EPERM) for name, (call, args) in (FILE_SIGNALS | DEVICE_SIGNALS).items()}
CALLS["fcntl O_ASYNC"] = ([syscalls.FCNTL[COLUMN], 0, syscalls.F_SETFL, 0x2800], EPERM)
CALLS["fcntl with more than 32 bits"] = ([syscalls.FCNTL[COLUMN], 0, (1 << 32) | 8, 1], EPERM)


@pytest.mark.parametrize("name", CALLS)
def test_calls_with_arguments_are_refused(sandbox: Sandbox, name: str) -> None:
    call, code = CALLS[name]
    assert ask(sandbox, "syscalls", calls=[call]) == {"answers": [[-1, code]]}


KINDS = ("bare", *(f"abi{version}" for version in range(1, jail.NEWEST_ABI + 1)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("task", "args"), [("crowd", {"threads": 8000}), ("sparse", {"files": 10, "size": 20})])
def test_threads_and_holes_are_bounded_under_each_landlock(
    sandbox: Sandbox, kind: str, task: str, args: dict[str, Json]
) -> None:
    limits = replace(SMALL, memory_mb=4096)
    with pytest.raises(OverLimit, match="the limit is"), sandbox.run(task, args, {}, limits, kind=kind):
        pass


@pytest.mark.parametrize("kind", KINDS)
def test_no_file_sends_a_signal_to_the_server(sandbox: Sandbox, kind: str) -> None:
    """Before version 6 Landlock knows nothing of signals, so that the filter alone stands here."""
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    try:
        with sandbox.run("signal_by_file", {}, {}, SMALL, kind=kind) as done:
            assert done.value == {"done": []}
        time.sleep(0.05)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert heard == []


@pytest.mark.parametrize("version", range(1, jail.NEWEST_ABI + 1))
def test_the_walls_under_each_landlock_that_this_kernel_can_give(
    sandbox: Sandbox, tmp_path: Path, version: int
) -> None:
    """From version 3 on (Linux 6.2) every wall holds; before, a file outside can be truncated, and the self-test says so."""
    canary = tmp_path / "inside" / "canary"
    canary.parent.mkdir()
    canary.write_text("secret")
    args = {"canary": str(canary), "home": str(Path.home()), "memory_mb": SMALL.memory_mb}
    with sandbox.run("self_test", args, {}, SMALL, kind=f"abi{version}") as done:
        fallen = [name for name, holds in done.value.items() if not holds]
    assert fallen == ([] if version >= 3 else ["nothing outside can be written"])
    assert Isolation.of(done.value).full == (version >= 3)


def test_one_kernel_is_named_wherever_one_is() -> None:
    places = [ROOT / "README.md", ROOT / "SECURITY.md", *(ROOT / "core").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]
    named = {words for path in places for words in re.findall(r"Linux \d+\.\d+ or newer", path.read_text())}
    assert named == {f"{jail.NEEDS} or newer"}


def test_numbers_are_the_kernel_headers_own() -> None:
    header = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if not header.exists():
        pytest.skip("the kernel's headers are not installed")
    rows = (line.split() for line in header.read_text().splitlines() if line.startswith("#define __NR_"))
    known = {row[1].removeprefix("__NR_"): int(row[2]) for row in rows}
    for table in (syscalls.REFUSED, syscalls.IGNORED):
        for name, (number, _) in table.items():
            assert known.get(name, number) == number, name


@pytest.mark.parametrize("machine", syscalls.ARCHITECTURES)
def test_filter_is_well_formed(machine: str) -> None:
    rows = syscalls.program(*syscalls.ARCHITECTURES[machine], pid=1234)
    assert len(rows) < 4096
    for place, (code, yes, no, _) in enumerate(rows):
        if code in (syscalls.EQUAL, syscalls.GREATER, syscalls.ANY_BIT):
            assert place + 1 + max(yes, no) < len(rows)
    assert rows[-1] == syscalls.ALLOW


@pytest.mark.parametrize("flags", [0x22, 0x21])
def test_memory_from_the_kernel_is_bounded(sandbox: Sandbox, flags: int) -> None:
    assert ask(sandbox, "eat_native", flags=flags)["refused"]


def test_honest_work_goes_on(sandbox: Sandbox) -> None:
    with sandbox.run("honest", {}, {"model": Path(__file__)}, SMALL, kind="light") as done:
        assert done.value["threads"] == [0, 1, 2, 3]
        assert done.value["sum"] == 90000
        assert (
            (done.folder / "copy").read_bytes() == (done.folder / "moved").read_bytes() == Path(__file__).read_bytes()
        )


def test_threads_before_the_lock_are_refused(sandbox: Sandbox) -> None:
    with (
        pytest.raises(Crashed, match="2 threads run before the jail is locked"),
        sandbox.run("honest", {}, {}, SMALL, kind="threaded"),
    ):
        pass


def test_the_child_knows_no_secret(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTOLAN_SECRET", "hush")
    ask(sandbox, "environment")  # takes the spare that may have been started before
    seen = ask(sandbox, "environment")
    environ = seen["environ"]
    assert isinstance(environ, dict)
    assert "PORTOLAN_SECRET" not in environ
    assert str(Path.home()) not in (environ["HOME"], environ["TMPDIR"])
    assert environ["ORT_DISABLE_TELEMETRY"] == "1"
    assert "" not in seen["path"]  # type: ignore[operator]


@pytest.mark.parametrize(
    "module", ["sqlite_utils", "core.memory.store", "altair", "pandas", "streamlit", "torch", "psutil"]
)
def test_the_worker_imports_nothing_of_the_server(sandbox: Sandbox, module: str) -> None:
    assert module not in ask(sandbox, "environment")["modules"]  # type: ignore[operator]


REFUSING = """
import errno, sys
from pathlib import Path
from core.border import jail
from core.border.jail import syscalls
from core.domain.limits import Limits
import ctypes, socket

ctypes.CDLL(None).prctl(jail.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
number = (syscalls.LOAD, 0, 0, syscalls.NUMBER)
refuse = syscalls.when(jail.LANDLOCK_CREATE, syscalls.answer(errno.EPERM))
jail.filter_calls(syscalls._pack([number, *refuse, syscalls.ALLOW]))
jail.lock(Path(sys.argv[1]), Limits(wall_seconds=20, cpu_seconds=10, memory_mb=600, file_mb=32))
try:
    socket.socket()
except PermissionError:
    print("locked as far as can be")
"""


def test_an_engine_that_refuses_landlock_leaves_the_other_walls(tmp_path: Path) -> None:
    command = [sys.executable, "-c", REFUSING, str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("locked as far as can be\n", "")
