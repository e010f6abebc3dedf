"""Where verbs make their calls: a child for each, with the files that it needs, and what all of them cost."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from core.calls.call import Call
from core.domain.codec import Malformed, decode, encode
from core.domain.errors import Crashed, first_line
from core.domain.limits import WORKING, Limits
from core.domain.work import Along, Model
from core.memory.blobs import Blob
from core.sandbox.exclusive import measuring
from core.sandbox.tools import Tools
from core.sandbox.watch import Progress, ignore

Q = TypeVar("Q")
A = TypeVar("A")
Found = TypeVar("Found")


@dataclass
class Cost:
    """What the children used: wall-clock seconds in all and the largest resident memory of one, in MB."""

    seconds: float = 0.0
    peak_rss_mb: float = 0.0


@dataclass(frozen=True)
class Answered(Generic[A]):
    """What a child answered, read by its declaration, and the folder of plain files that it wrote."""

    value: A
    folder: Path


@dataclass
class Bench:
    """One place to make calls about models of the store, adding up what they cost."""

    tools: Tools
    cost: Cost = field(default_factory=Cost)
    remembered: dict[tuple[object, ...], Any] = field(default_factory=dict)
    """What was found of a model once and stays so."""

    openings: dict[str, Along] = field(default_factory=dict)
    """What a model is opened with beside its bytes, by its SHA-256."""

    @contextmanager
    def call(
        self,
        call: Call[Q, A],
        request: Q,
        blobs: Mapping[str, str],
        kind: str,
        limits: Limits = WORKING,
        progress: Progress = ignore,
    ) -> Iterator[Answered[A]]:
        """Have a child of this kind do a call on the blobs, by key; what it wrote lasts as long as the block.

        Raises what the child refuses, OverLimit, Cancelled, and Crashed also for an answer off the declaration.
        """
        self.tools.meter.check()
        files = {key: self.tools.blobs.path(sha256) for key, sha256 in blobs.items()}
        running = self.tools.sandbox.run(
            call.name,
            encode(request),
            files,
            limits,
            kind=kind,
            progress=progress,
            cancel=self.tools.cancel,
            spent=self.tools.meter.spend,
        )
        with running as done:
            self.cost.seconds += done.seconds
            self.cost.peak_rss_mb = max(self.cost.peak_rss_mb, done.peak_rss_mb)
            try:
                answer = decode(call.answer, done.value)
            except Malformed as error:
                raise Crashed(
                    f"The sandboxed process gave no proper answer: {first_line(error)}.", "Try again."
                ) from error
            yield Answered(answer, done.folder)

    def keep(self, path: Path) -> Blob:
        """Put a file that a child wrote into the store."""
        return self.tools.blobs.put(path)

    def once(self, key: tuple[object, ...], find: Callable[[], Found]) -> Found:
        """Return what was found before under a key, or find it now."""
        if key not in self.remembered:
            self.remembered[key] = find()
        found: Found = self.remembered[key]
        return found

    def opening(self, model: Model) -> Along:
        """Return what a model is opened with beside its bytes."""
        return self.openings.get(model.sha256, Along())

    def alone(self) -> AbstractContextManager[None]:
        """Wait until nobody else measures on this machine."""
        words = "Waiting for another measurement on this machine to end"
        return measuring(self.tools.cancel, lambda: self.tools.progress(None, words))
