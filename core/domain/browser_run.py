"""What a model did in a visitor's own browser: its answers beside the recorded ones, and how long one answer took there.

The figures come from the visitor's machine: they are evidence for that visitor, never a verdict on the artifact.
"""

import math
from dataclasses import dataclass, replace

from core.domain.codec import Malformed, decode, storable
from core.domain.errors import Refused
from core.domain.report import Count, Verdict

LONGEST = 400


@dataclass(frozen=True)
class Latency:
    """Percentiles of single runs in milliseconds: how many after how many unmeasured ones, of what batch, and the step of the clock."""

    runs: int
    warm: int
    batch: int
    p50: float
    p90: float
    p99: float
    tick: float


@dataclass(frozen=True)
class BrowserRun:
    """The comparison on one device; ``answers`` is the SHA-256 of the recording, ``cases`` of ``recorded`` cases were replayed."""

    verdict: Verdict
    reason: str
    samples: int
    cases: int
    recorded: int
    max_abs: float
    max_rel: float
    flips: Count | None
    latency: Latency
    runtime: str
    agent: str
    cores: int
    answers: str

    def __post_init__(self) -> None:
        counts = (self.samples, self.cases, self.recorded, self.cores, self.latency.runs, self.latency.warm)
        sizes = (self.max_abs, self.max_rel, self.latency.p50, self.latency.p90, self.latency.p99, self.latency.tick)
        if not all(0 <= count < 2**53 for count in (*counts, self.latency.batch)):
            raise ValueError("a count is none")
        if not all(math.isfinite(size) and size >= 0 for size in sizes):
            raise ValueError("a size is none")


def sent(value: object, answers: str) -> BrowserRun:
    """Read what a browser sent of the recording ``answers``; its texts are cut to ``LONGEST``.

    Raises Refused when a figure is none, or for another recording than the one that the page gave it.
    """
    try:
        run = decode(BrowserRun, storable(value))
    except Malformed:
        raise Refused("The browser sent something that is not a result.", "Reload the page and run it again.") from None
    if run.answers != answers:
        raise Refused("The browser answered another recording.", "Reload the page and run it again.")
    texts = {name: getattr(run, name)[:LONGEST] for name in ("reason", "runtime", "agent", "answers")}
    return replace(run, **texts)
