"""What a verb works with: blobs to read and write, a sandbox to open models in, ways to tell progress, to stop, to remember."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from core.memory.blobs import Blobs
from core.sandbox import Sandbox

R = TypeVar("R")


class Memory:
    """What a long verb asks and writes down before its end; this one forgets, which is right where there is no store.

    Requests and results are declared values that name files by SHA-256, so that an engine can carry them between machines.
    """

    def known(self, verb: str, request: object, kind: type[R]) -> R | None:
        """Return the result of equal work that is done already, or None; of the very work that asks, what it kept before it was stopped."""
        return None

    def answer(self, verb: str, request: object, result: object) -> None:
        """Write down the result of work that another job may ask for, with its rows, as if it had been its own job."""

    def keep(self, result: object) -> None:
        """Write down the result so far; it stays when the job is cancelled, interrupted or fails."""


class Meter:
    """What a job's children cost its visitor; this one counts nothing, which is right where there is none."""

    def check(self) -> None:
        """Raise Cancelled where the visitor may have no more processor time now."""

    def spend(self, seconds: float) -> None:
        """Count the processor time of a child that has ended."""


@dataclass(frozen=True)
class Tools:
    """The six things that a verb is given; ``progress`` takes a fraction (or None) and a sentence."""

    blobs: Blobs
    sandbox: Sandbox
    progress: Callable[[float | None, str], None]
    cancel: threading.Event
    memory: Memory = field(default_factory=Memory)
    meter: Meter = field(default_factory=Meter)
