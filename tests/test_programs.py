"""The one program that a child may have run is attacked from inside: here it is a Python, so that it can try anything."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from core.border.jail import programs, syscalls
from core.domain.errors import Crashed, OverLimit, PortolanError, Unavailable
from core.domain.limits import Limits
from core.sandbox import Sandbox

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="programs are started on Linux only")
SMALL = Limits(wall_seconds=20, cpu_seconds=10, memory_mb=600, file_mb=32)
OUTSIDE = Path(__file__).resolve()

TRY = """
import ctypes, os, socket, subprocess, sys
def attempt():
    {act}
try:
    attempt()
    print("done")
except OSError as error:
    print("refused", error.errno)
"""

ACTS = {
    "shell": "os.execv('/bin/sh', ['sh', '-c', 'echo a shell'])",
    "loader": "os.execv('/lib64/ld-linux-x86-64.so.2', ['ld', '/bin/sh', '-c', 'echo a shell'])",
    "itself": "os.execv(os.path.realpath(sys.executable), ['python', '-c', 'print(1)'])",
    "spawn": "os.posix_spawn('/bin/true', ['true'], {})",
    "fork": "os.fork() or os._exit(0)",
    "subprocess": "subprocess.run(['/bin/true'])",
    "read a file": "open('/etc/passwd').read()",
    "read our tests": f"open({str(OUTSIDE)!r}).read()",
    "write an input": "open('in/model', 'w')",
    "write beside": "open('beside', 'w')",
    "network": "socket.socket()",
    "signal the helper": "os.kill(os.getppid(), 9)",
    "signal the group": "os.killpg(0, 9)",
    "leave the group": "os.setsid()",
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    box = Sandbox(tmp_path_factory.mktemp("scratch"), "tests.hostile.attacks")
    yield box
    box.close()


def ask(sandbox: Sandbox, *codes: str, limits: Limits = SMALL) -> list[str]:
    runs = [["-I", "-S", "-c", code] for code in codes]
    with sandbox.run("program", {"runs": runs}, {"model": OUTSIDE}, limits, kind="helped") as done:
        assert set(done.value["codes"]) == {0}, done.value
        return [str(words).strip() for words in done.value["said"]]


def test_honest_work_is_done_once_and_again(sandbox: Sandbox) -> None:
    write = "open('out/made', 'w').write(open('in/model').readline())"
    read = "print(open('out/made').read().strip())"
    assert ask(sandbox, write, read) == ["", OUTSIDE.read_text().splitlines()[0]]


@pytest.mark.parametrize("name", ACTS)
def test_the_program_is_behind_the_same_walls(sandbox: Sandbox, name: str) -> None:
    (said,) = ask(sandbox, TRY.format(act=ACTS[name]))
    assert said in ("refused 1", "refused 13"), said


def test_the_child_itself_stays_without_programs(sandbox: Sandbox) -> None:
    for name in ("shell", "exec", "fork", "spawn"):
        with sandbox.run("act", {"name": name, "target": ""}, {"model": OUTSIDE}, SMALL, kind="helped") as done:
            assert done.value["refused"]


def test_what_the_program_eats_is_bounded(sandbox: Sandbox) -> None:
    assert ask(sandbox, "try:\n    bytearray(700 << 20)\nexcept MemoryError:\n    print('no')") == ["no"]


def test_a_crash_of_the_program_is_named(sandbox: Sandbox) -> None:
    with pytest.raises(Crashed, match="SIGSEGV"):
        ask(sandbox, "import ctypes; ctypes.string_at(0)")


def test_a_program_that_never_ends_is_ended_with_the_child(sandbox: Sandbox) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    with pytest.raises(OverLimit):
        ask(sandbox, "while True: pass", limits=Limits(wall_seconds=1, cpu_seconds=10, memory_mb=600, file_mb=32))
    give_up = time.monotonic() + 5
    while (left := busy(before)) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert not left


def busy(before: set[int]) -> list[psutil.Process]:
    """Return programs that run on behind a child that is gone, wherever the system hung them."""
    running = psutil.process_iter(["pid", "cmdline"])
    return [p for p in running if p.pid not in before and "while True: pass" in (p.info["cmdline"] or [])]


def test_a_process_without_a_helper_says_so() -> None:
    with pytest.raises(Unavailable) as caught:
        programs.run(["--help"])
    assert isinstance(caught.value, PortolanError)
    assert caught.value.next_step


@pytest.mark.parametrize("machine", syscalls.ARCHITECTURES)
def test_filters_are_well_formed(machine: str) -> None:
    known = syscalls.ARCHITECTURES[machine]
    for rows in (syscalls.starter(*known), syscalls.started(*known, 1234, 0x7F00_1234_5678)):
        for place, (code, yes, no, _) in enumerate(rows):
            if code in (syscalls.EQUAL, syscalls.GREATER, syscalls.ANY_BIT):
                assert place + 1 + max(yes, no) < len(rows)
        assert rows[-1] == syscalls.ALLOW
