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
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from core.border.jail import Isolation
from core.domain.codec import Json, encode
from core.domain.errors import Cancelled, Crashed, OverLimit, PortolanError
from core.domain.limits import Limits
from core.sandbox import scratch as folders
from core.sandbox.child import HOSTILE, Child, started
from core.sandbox.watch import TICK_SECONDS, Progress, Watch, ignore

ALWAYS_WARM = "light"
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


class Sandbox:
    """Children to be had from any thread: one light spare always warm, other kinds once they were asked for."""

    def __init__(self, scratch: Path, module: str = "core.doors.worker") -> None:
        self._folder, self._module = folders.claim(scratch), module
        self._lock, self._closed, self._busy = threading.Lock(), threading.Event(), set[Path]()
        # The kernel ends a child with the thread that started it, so one thread that lives as long as we starts them all.
        self._spawner = ThreadPoolExecutor(1, "sandbox-spawner")
        self._tester = ThreadPoolExecutor(1, "sandbox-self-test")
        self._spares: dict[str, Spare] = {}
        self._isolation = self._tester.submit(self._test_walls)
        self._warm(ALWAYS_WARM)

    @property
    def isolation(self) -> Isolation:
        """What a real child found when it tried to break out at the start of this process."""
        return self._isolation.result()

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
    ) -> Iterator[Finished]:
        """Have a fresh child do one call and give its answer; what it wrote lasts as long as the block.

        ``files`` are copied to ``in/<key>``. Raises what the child refuses, OverLimit, Crashed or Cancelled.
        """
        stops = [self._closed, *([cancel] if cancel else [])]
        full = self.isolation.full
        with self._taken(kind) as child:
            watch = Watch(child, limits, progress, stops)
            request = {"call": call, "args": args, "limits": encode(limits), "isolation_full": full}
            yield self._finish(watch, request, files, partial(self._warm, kind))

    def close(self) -> None:
        """Stop the children at work, kill the spares and remove the scratch folder."""
        self._closed.set()
        self._tester.shutdown()
        with self._lock:
            spares, self._spares = list(self._spares.values()), {}
        for spare in spares:
            if child := self._awake(spare):
                self._end(child)
        give_up = time.monotonic() + 5
        while self._busy and time.monotonic() < give_up:
            time.sleep(TICK_SECONDS)
        self._spawner.shutdown()
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
    def _taken(self, kind: str) -> Iterator[Child]:
        with self._lock:
            spare = self._spares.pop(kind, None)
        child = self._awake(spare) or self._spawn(kind).result()
        self._busy.add(child.folder)
        try:
            yield child
        finally:
            self._end(child)
            self._busy.discard(child.folder)

    def _awake(self, spare: Spare | None) -> Child | None:
        """Return the spare's process, or None when there is none, it never came to be, or it was killed while it waited."""
        if spare is None:
            return None
        spare.timer.cancel()
        if spare.child.exception() is not None:
            return None
        child = spare.child.result()
        if child.exit_code() is None:
            return child
        self._end(child)
        return None

    def _spawn(self, kind: str) -> Future[Child]:
        try:
            return self._spawner.submit(self._start, kind)
        except RuntimeError:
            raise Cancelled("Portolan is closing.", "Start it again.") from None

    def _start(self, kind: str) -> Child:
        try:
            return Child(folders.fresh(self._folder), partial(started, self._module, kind))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise OverLimit(
                f"A child process could not be started: {reason}.", "Free disk space and memory, and try again."
            ) from error

    def _warm(self, kind: str) -> None:
        """Start a spare unless there is one; all but the light kind are given back after a quarter of an hour of waiting."""
        with self._lock:
            if self._closed.is_set() or kind in self._spares:
                return
            timer = threading.Timer(IDLE_SECONDS, self._retire, (kind,))
            timer.daemon = True
            self._spares[kind] = Spare(self._spawn(kind), timer)
            if kind != ALWAYS_WARM:
                timer.start()

    def _retire(self, kind: str) -> None:
        with self._lock:
            spare = self._spares.pop(kind, None)
        child = self._awake(spare)
        if child:
            self._end(child)

    @staticmethod
    def _end(child: Child) -> None:
        child.stop()
        folders.remove(child.folder)

    def _test_walls(self) -> Isolation:
        canary = self._folder / "canary"
        canary.write_text("secret")
        args = {"canary": str(canary), "home": str(Path.home()), "memory_mb": TESTING.memory_mb}
        request = {"call": "self_test", "args": args, "limits": encode(TESTING), "isolation_full": False}
        try:
            with self._taken("bare") as child:
                done = self._finish(Watch(child, TESTING, ignore, [self._closed]), request, {}, _nothing)
        except PortolanError as error:
            return Isolation(False, {}, f"the self-test failed: {error.message}")
        return Isolation.of({str(name): holds is True for name, holds in done.value.items()})
