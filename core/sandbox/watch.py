"""What is heard and seen of a child at work, and the words for how it ended."""

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from core.domain.errors import FAULT, Cancelled, Crashed, OverLimit, PortolanError, Trouble, from_trouble
from core.domain.limits import Limits
from core.sandbox import scratch
from core.sandbox.child import Child

TICK_SECONDS = 0.02
WATCH_SECONDS = 0.1
PROGRESS_SECONDS = 0.1
NAMED = frozenset(int(one) for one in signal.Signals)
NEXT = "Nothing else was harmed. Try another format or opset, and please report it with the versions in the evidence of any job."

Progress = Callable[[float | None, str], None]


def ignore(fraction: float | None, text: str) -> None:
    """Take progress and do nothing with it."""


class Watch:
    """One look after another at a child at work: what it says, whether somebody cancelled, whether it keeps its limits."""

    def __init__(self, child: Child, limits: Limits, progress: Progress, stops: list[threading.Event]) -> None:
        self.child, self.limits, self.progress, self.stops = child, limits, progress, stops
        self._looked = self._told = 0.0

    def until(self, wanted: str, seconds: float, meanwhile: Callable[[], None]) -> dict[str, Any]:
        """Return the first event called ``wanted``, doing ``meanwhile`` whenever nothing was heard.

        Raises what the child sends as an error, Cancelled, OverLimit or Crashed.
        """
        deadline = time.monotonic() + seconds
        while True:
            code = self.child.exit_code()
            for event in self.child.events(TICK_SECONDS if code is None else 0.0):
                if event["event"] == wanted:
                    return event
                self._hear(event)
            if code is not None and self.child.quiet:
                raise self._death(code)
            if self.child.quiet:
                meanwhile()
            self.check()
            if time.monotonic() > deadline:
                raise OverLimit(f"The job took longer than the limit of {seconds:g} s.", "Try a smaller model.")

    def check(self) -> None:
        """Raise Cancelled when somebody asked to stop, and OverLimit for memory or disk (looked at ten times a second)."""
        if any(stop.is_set() for stop in self.stops):
            raise Cancelled("The job was stopped.", "Start it again when you need it.")
        if time.monotonic() - self._looked < WATCH_SECONDS:
            return
        self._looked = time.monotonic()
        with contextlib.suppress(psutil.Error, OSError):
            if (used := self.child.memory_mb()) > self.limits.memory_mb:
                raise _too_large("uses", used, "of memory", self.limits.memory_mb)
            if (number := self.child.threads) > self.limits.threads:
                raise OverLimit(
                    f"This runs {number:,} threads; the limit is {self.limits.threads:,}.", "Try a smaller model."
                )
        self.check_files()

    def check_files(self) -> None:
        """Raise OverLimit where the child's files are too large together."""
        if (used := scratch.used_mb(self.child.folder)) > self.limits.file_mb:
            raise _too_large("writes", used, "of files", self.limits.file_mb)

    def _hear(self, event: dict[str, Any]) -> None:
        if event["event"] == "error":
            raise from_trouble(Trouble(*(str(event.get(name, ""))[:1000] for name in ("kind", "message", "next_step"))))
        fraction, now = event.get("fraction"), time.monotonic()
        if event["event"] == "progress" and now - self._told >= PROGRESS_SECONDS:
            self._told = now
            known = isinstance(fraction, int | float) and math.isfinite(fraction)
            self.progress(min(1.0, max(0.0, float(fraction))) if known else None, str(event.get("text", ""))[:200])  # type: ignore[arg-type]

    def _death(self, code: int) -> PortolanError:
        name = signal.Signals(-code).name if -code in NAMED else f"exit code {code}"
        if code == -signal.SIGXCPU:
            return OverLimit(
                f"The job used more than {self.limits.cpu_seconds} s of processor time.", "Try a smaller model."
            )
        if code == -signal.SIGKILL or (code == -signal.SIGABRT and b"bad_alloc" in self.child.log):
            text = f"The job ran out of memory; its limit is {self.limits.memory_mb} MB."
            return OverLimit(text, "Try a smaller model, or close other programs.")
        if code < 0:
            return Crashed(f"The model crashed the engine that was reading it ({name}).", NEXT)
        return Crashed(f"{FAULT}: the child process ended without an answer ({name}).", NEXT)


def _too_large(verb: str, used: float, what: str, limit: int) -> OverLimit:
    figure = f"{used:.0f} MB" if math.isfinite(used) else "an unlimited amount"
    return OverLimit(f"This {verb} {figure} {what}; the limit is {limit} MB.", "Try a smaller model.")
