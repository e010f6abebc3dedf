"""One child process as its parent sees it: what it is given, what it says, how it ends."""

import contextlib
import json
import os
import selectors
import signal
import subprocess  # noqa: TID251
import sys
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any, Protocol

import psutil

from core.domain import groups
from core.domain.codec import parse
from core.domain.errors import Crashed
from core.domain.limits import MB
from core.sandbox import pids

ROOT = Path(__file__).resolve().parents[2]
PASSED_ON = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ")
LINE_BYTES, TOTAL_BYTES, LOG_BYTES = 8 * MB, 64 * MB, 8192
EVENTS = 50_000
"""More than the progress of the longest job: at most twenty a second are sent."""
HOSTILE = "Treat this file as hostile, or ask its author for another one."

Ends = tuple[int, int, int]
"""The child's ends of its three pipes: requests, events, words."""


class Process(Protocol):
    """A process that is this one's child, as ``subprocess.Popen`` shows it."""

    @property
    def pid(self) -> int:
        """Its id, which stays taken until somebody waited for it."""

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for a signal, once somebody waited for it."""

    def poll(self) -> int | None:
        """Return the exit code if it has ended."""

    def wait(self) -> int:
        """Wait for its end and return the exit code."""


Start = Callable[[Path, Ends], Process]
"""Starts a process that works in a folder and has the pipes as stdin, stdout and stderr. Raises OSError."""


def environment(folder: Path) -> dict[str, str]:
    """Return all that a child knows of the world: no secret of this process, no home, no cache, no telemetry.

    One OpenBLAS thread and no background thread of jemalloc, because the jail wants a single thread when it is locked.
    Bytecode is kept: what only children import would else be compiled in each of them.
    """
    tmp, cores = str(folder / "tmp"), str(len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count())
    return {
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
        **dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "TORCH_HOME"), tmp),
        **dict.fromkeys(("USER", "LOGNAME"), "portolan"),
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "0",
        "PYTHONIOENCODING": "utf-8",
        "OMP_NUM_THREADS": cores,
        "OPENBLAS_NUM_THREADS": "1",
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
        "JOBLIB_MULTIPROCESSING": "0",
        "ORT_DISABLE_TELEMETRY": "1",
    }


def started(module: str, kind: str, folder: Path, ends: Ends) -> "subprocess.Popen[bytes]":
    """Start a process of the worker that imports by itself what its kind needs."""
    requests, events, words = ends
    return subprocess.Popen(  # noqa: S603
        [str(groups.python_for(kind)), "-P", "-m", module, kind, str(os.getpid())],
        cwd=folder,
        env=environment(folder),
        stdin=requests,
        stdout=events,
        stderr=words,
        start_new_session=True,
    )


class Child:
    """One process of the worker with its folder, its pipes, the bound on its threads, the last of its log and its peak of memory."""

    def __init__(self, folder: Path, start: Start) -> None:
        self.folder, self.log, self.peak_mb, self.quiet = folder, b"", 0.0, False
        self.cpu_seconds = 0.0
        self._line, self._received, self._told, self._logged, self.threads = bytearray(), 0, 0, 0, 1
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            asked, self._requests = _pipe(theirs, ours)
            self._events, telling = _pipe(ours, theirs)
            self._words, printing = _pipe(ours, theirs)
            self._process = start(folder, (asked.fileno(), telling.fileno(), printing.fileno()))
            self._ends = ours.pop_all()
        self.pid = self._process.pid
        self.bound = pids.Bound(self.pid)
        self._selector = self._ends.enter_context(selectors.DefaultSelector())
        for pipe in (self._events, self._words):
            self._selector.register(pipe, selectors.EVENT_READ)

    def send(self, request: dict[str, Any]) -> None:
        """Hand over the one request; that a child is already dead shows in ``exit_code``."""
        with contextlib.suppress(BrokenPipeError):
            self._requests.write(json.dumps(request).encode() + b"\n")

    def events(self, timeout: float) -> list[dict[str, Any]]:
        """Return what arrives within ``timeout`` seconds. Raises Crashed for what is no event of ours."""
        ready = self._selector.select(timeout)
        self.quiet, lines = not ready, []
        for key, _ in ready:
            data = os.read(key.fd, 1 << 16)
            if not data:
                self._selector.unregister(key.fileobj)
            elif key.fileobj is self._words:
                self.log, self._logged = (self.log + data)[-LOG_BYTES:], self._logged + len(data)
                _bounded(self._logged <= TOTAL_BYTES)
            else:
                lines += self._lines(data)
        return [_event(line) for line in lines]

    def _lines(self, data: bytes) -> list[bytes]:
        self._received += len(data)
        *whole, rest = data.split(b"\n")
        if whole:
            whole[0], self._line = bytes(self._line + whole[0]), bytearray()
        self._line += rest
        self._told += len(whole)
        _bounded(self._received <= TOTAL_BYTES and len(self._line) <= LINE_BYTES and self._told <= EVENTS)
        return whole

    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal, or None while the process runs; its id stays taken until ``stop``."""
        if sys.platform != "linux":
            return self._process.poll()
        if self._process.returncode is not None:
            return self._process.returncode
        try:
            end = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # somebody else in this process waited for all children
            return self._process.poll()
        return None if end is None else end.si_status if end.si_code == os.CLD_EXITED else -end.si_status

    def memory_mb(self) -> float:
        """Return the resident memory now, in MB, and keep its peak and the number of threads; on Linux the kernel's own peak misses nothing."""
        if sys.platform == "linux":
            status = Path(f"/proc/{self.pid}/status").read_text()
            found = dict(line.split(":", 1) for line in status.splitlines())
            now, peak = (int(found.get(name, "0").split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
            started = programs(self.pid)
            self.threads = int(found.get("Threads", "1")) + sum(map(threads_of, started))
            if below := sum(map(resident_mb, started)):
                now, peak = now + below, max(peak, now + below)
        else:
            one = psutil.Process(self.pid)
            now = peak = sum(p.memory_info().rss for p in (one, *one.children(recursive=True))) / MB
        self.peak_mb = max(self.peak_mb, peak)
        return now

    def stop(self) -> None:
        """Kill the process group, wait for the process and close the pipes; its folder stays, and the processor time that it took is known."""
        if self._process.returncode is None:
            self.cpu_seconds = sum(map(cpu_seconds, (self.pid, *programs(self.pid))))
            for kill in (os.killpg, os.kill):  # one that was just forked has no group of its own yet
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(self.pid, signal.SIGKILL)
            self._process.wait()
        with contextlib.suppress(OSError):
            self._ends.close()


def _pipe(reader: contextlib.ExitStack, writer: contextlib.ExitStack) -> tuple[FileIO, FileIO]:
    """Open a pipe whose ends are closed with those to whom they belong."""
    reading, writing = os.pipe()
    return reader.enter_context(FileIO(reading, "rb")), writer.enter_context(FileIO(writing, "wb"))


def programs(pid: int) -> list[int]:
    """Return the programs that a child's helper process runs; the helper itself is a fork that shares the child's memory."""
    return [program for helper in _children(pid) for program in _children(helper)]


def resident_mb(pid: int) -> float:
    """Return the memory that a process holds now, in MB; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB
    except (OSError, IndexError):
        return 0.0


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process and of those that it waited for, in seconds; 0 when it is gone.

    Linux tells it of any process to the nanosecond (clock_getcpuclockid(3)), and by psutil to a hundredth, which is more
    than a short call takes.
    """
    try:
        times = psutil.Process(pid).cpu_times()
        own = time.clock_gettime((~pid << 3) | 2) if sys.platform == "linux" else times.user + times.system
    except (psutil.Error, OSError):
        return 0.0
    return float(own + times.children_user + times.children_system)


def threads_of(pid: int) -> int:
    """Return how many threads a process has; 0 when it is gone."""
    try:
        return len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208 -- names are enough
    except OSError:
        return 0


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _bounded(within: bool) -> None:
    if not within:
        raise Crashed("The child process sent more data than any answer needs.", HOSTILE)


def _event(line: bytes) -> dict[str, Any]:
    try:
        event = parse(line)
    except (ValueError, RecursionError):
        event = None
    if isinstance(event, dict) and isinstance(event.get("event"), str):
        return event
    raise Crashed("The child process sent something that is not an event.", HOSTILE)
