"""The parent side of the border: warm children that each do one task in a locked scratch folder, and are then gone.

A child is its own process group with its own folder. It is killed when its answer is there, when it is cancelled, when
it passes a limit, when the block that reads its files ends, and (by itself) when this process dies. Nothing that it
sends is trusted further than its size and its shape: a child that was taken over can lie, but not do more.
"""

import contextlib
import errno
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from core.border.jail import Isolation
from core.domain.codec import Json, encode
from core.domain.errors import Cancelled, Crashed, OverLimit, PortolanError
from core.domain.limits import Limits
from core.sandbox import pids
from core.sandbox import scratch as folders
from core.sandbox.child import HOSTILE, Child
from core.sandbox.kind import Kind
from core.sandbox.servers import Servers
from core.sandbox.watch import TICK_SECONDS, Progress, Watch, ignore

ALWAYS_WARM, BARE = "light", "bare"
IDLE_SECONDS = 900.0
START_SECONDS = 120.0
TESTING = Limits(wall_seconds=30, cpu_seconds=10, memory_mb=512, file_mb=16)


@dataclass(frozen=True)
class Finished:
    """What a child answered, the folder of plain files that it wrote, its wall-clock seconds and its memory peak in MB."""

    value: Any
    folder: Path
    seconds: float
    peak_rss_mb: float


@dataclass(frozen=True)
class Spare:
    """A child that waits for its request, and the clock that gives it back when nobody comes."""

    child: Future[Child]
    timer: threading.Timer


def _nothing() -> None:
    pass


def _unpaid(seconds: float) -> None:
    pass


class Sandbox:
    """Children to be had from any thread: one light spare always warm, other kinds once they were asked for."""

    def __init__(self, scratch: Path, module: str = "core.doors.worker") -> None:
        self._folder, self._module = folders.claim(scratch), module
        pids.clear()
        self._lock, self._closed, self._busy = threading.RLock(), threading.Event(), set[Path]()
        self._kinds: dict[str, Kind] = {}
        self.servers = Servers(self._folder)
        self._tester = ThreadPoolExecutor(1, "sandbox-self-test")
        self._spares: dict[str, Spare] = {}
        self._isolation = self._tester.submit(self._test_walls)
        self._warm(ALWAYS_WARM)

    @property
    def isolation(self) -> Isolation:
        """What a real child found when it tried to break out at the start of this process."""
        return self._isolation.result()

    @property
    def found(self) -> Isolation | None:
        """The isolation, or None as long as it is being tested."""
        return self._isolation.result() if self._isolation.done() else None

    @property
    def at_work(self) -> int:
        """How many children have a task."""
        return len(self._busy)

    @property
    def trouble(self) -> str | None:
        """Why no child can be had at once, or None."""
        if self._closed.is_set():
            return "closing"
        with self._lock:
            spare = self._spares.get(ALWAYS_WARM)
        failed = spare.child.exception() if spare and spare.child.done() else None
        return None if failed is None else getattr(failed, "message", type(failed).__name__)

    @contextlib.contextmanager
    def run(
        self,
        call: str,
        args: Json,
        files: dict[str, Path],
        limits: Limits,
        *,
        kind: str = ALWAYS_WARM,
        progress: Progress = ignore,
        cancel: threading.Event | None = None,
        spent: Callable[[float], None] = _unpaid,
    ) -> Iterator[Finished]:
        """Have a fresh child do one call and give its answer; what it wrote lasts as long as the block.

        ``files`` are copied to ``in/<key>``; ``spent`` is told the child's processor time, however it ended. Raises what the child refuses, OverLimit, Crashed or Cancelled.
        """
        stops = [self._closed, *([cancel] if cancel else [])]
        full = self.isolation.full
        with self._taken(kind, limits, stops, spent) as child:
            watch = Watch(child, limits, progress, stops)
            request = {"call": call, "args": args, "limits": encode(limits), "isolation_full": full}
            yield self._finish(watch, request, files, partial(self._warm, kind))

    def close(self) -> None:
        """Stop the children at work, kill the spares and remove the scratch folder."""
        self._closed.set()
        self.servers.close()
        self._tester.shutdown()
        with self._lock:
            spares, self._spares = list(self._spares.values()), {}
            kinds = list(self._kinds.values())
        for kind in kinds:
            kind.hang_up()
        for spare in spares:
            self._dispose(spare)
        give_up = time.monotonic() + 5
        while self._busy and time.monotonic() < give_up:
            time.sleep(TICK_SECONDS)
        for kind in kinds:
            kind.close()
        folders.remove(self._folder)

    def _finish(
        self, watch: Watch, request: dict[str, Any], files: dict[str, Path], warm: Callable[[], None]
    ) -> Finished:
        child, started = watch.child, time.monotonic()
        try:
            for key, path in files.items():
                folders.copy(path, child.folder / "in" / Path(key).name, watch.check)
            watch.until("ready", START_SECONDS, _nothing)
            child.send(request)
            value = watch.until("result", watch.limits.wall_seconds, warm).get("value")
            with contextlib.suppress(psutil.Error, OSError):
                child.memory_mb()
            child.stop()
            watch.check_files()
            folders.only_plain_files(child.folder / "out")
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise OverLimit("The disk is full.", "Free some disk space and try again.") from error
        except PortolanError as error:
            error.add_note(child.log.decode(errors="replace"))
            raise
        finally:
            warm()
        if not isinstance(value, dict):
            raise Crashed("The child process sent something that is not an answer.", HOSTILE)
        return Finished(value, child.folder / "out", time.monotonic() - started, child.peak_mb)

    @contextlib.contextmanager
    def _taken(
        self, kind: str, limits: Limits, stops: list[threading.Event], spent: Callable[[float], None] = _unpaid
    ) -> Iterator[Child]:
        child = self._spare(kind, stops) or self._awaited(kind, self._of(kind).child(), stops)
        self._busy.add(child.folder)
        try:
            child.bound.set(limits.threads)
            yield child
        finally:
            self._end(child)
            self._busy.discard(child.folder)
            spent(child.cpu_seconds)

    def _spare(self, kind: str, stops: list[threading.Event]) -> Child | None:
        """Return the spare's process, or None when there is none, it never came to be, or it was killed while it waited."""
        with self._lock:
            spare = self._spares.pop(kind, None)
        if spare is None:
            return None
        spare.timer.cancel()
        with contextlib.suppress(OverLimit):
            child = self._awaited(kind, spare.child, stops)
            if child.exit_code() is None:
                return child
            self._end(child)
        return None

    def _awaited(self, kind: str, child: Future[Child], stops: list[threading.Event]) -> Child:
        """Return a child that is being made. Raises Cancelled when somebody asked to stop; the child waits for the next one."""
        while not child.done() and not any(stop.is_set() for stop in stops):
            wait([child], TICK_SECONDS)
        if not child.done():
            self._keep(kind, child)
            raise Cancelled("The job was stopped.", "Start it again when you need it.")
        return child.result()

    def _of(self, kind: str) -> Kind:
        with self._lock:
            if kind not in self._kinds and not self._closed.is_set():
                self._kinds[kind] = Kind(kind, self._module, self._folder)
            if kind in self._kinds:
                return self._kinds[kind]
        raise Cancelled("Portolan is closing.", "Start it again.")

    def _warm(self, kind: str) -> None:
        """Start a spare unless there is one."""
        with self._lock:
            if not self._closed.is_set() and kind not in self._spares:
                self._keep(kind, self._of(kind).child())

    def _keep(self, kind: str, child: Future[Child]) -> None:
        """Have a child wait as the spare; all but the light kind are given back after a quarter of an hour of waiting."""
        timer = threading.Timer(IDLE_SECONDS, self._retire, (kind,))
        timer.daemon = True
        spare = Spare(child, timer)
        with self._lock:
            if self._closed.is_set() or self._spares.setdefault(kind, spare) is not spare:
                self._dispose(spare)
            elif kind != ALWAYS_WARM:
                timer.start()

    def _retire(self, kind: str) -> None:
        with self._lock:
            spare = self._spares.pop(kind, None)
        if spare:
            self._dispose(spare)
        self._of(kind).retire()

    def _dispose(self, spare: Spare) -> None:
        """End a spare, as soon as it is there."""
        spare.timer.cancel()
        spare.child.add_done_callback(lambda made: made.exception() or self._end(made.result()))

    @staticmethod
    def _end(child: Child) -> None:
        child.stop()
        child.bound.remove()
        folders.remove(child.folder)

    def _test_walls(self) -> Isolation:
        canary = self._folder / "canary"
        canary.write_text("secret")
        args = {"canary": str(canary), "home": str(Path.home()), "memory_mb": TESTING.memory_mb}
        request = {"call": "self_test", "args": args, "limits": encode(TESTING), "isolation_full": False}
        stops = [self._closed]
        try:
            with self._taken(BARE, TESTING, stops) as child:
                done = self._finish(Watch(child, TESTING, ignore, stops), request, {}, _nothing)
        except PortolanError as error:
            return Isolation(False, {}, f"the self-test failed: {error.message}")
        finally:
            with contextlib.suppress(Cancelled):
                self._of(BARE).retire()
        return Isolation.of({str(name): holds is True for name, holds in done.value.items()})
