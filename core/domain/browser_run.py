"""What a model did in a visitor's own browser: its answers beside the recorded ones, and how long one answer took there.

The figures come from the visitor's machine: they are evidence for that visitor, never a verdict on the artifact.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Self

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

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self) | {"verdict": str(self.verdict), "flips": self.flips.to_json() if self.flips else None}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a run from ``to_json`` or from what a browser sent. Raises Refused when a figure is none."""
        try:
            return cls(
                verdict=Verdict(value["verdict"]),
                reason=_text(value["reason"]),
                samples=_count(value["samples"]),
                cases=_count(value["cases"]),
                recorded=_count(value["recorded"]),
                max_abs=_size(value["max_abs"]),
                max_rel=_size(value["max_rel"]),
                flips=_flips(value["flips"]),
                latency=_latency(value["latency"]),
                runtime=_text(value["runtime"]),
                agent=_text(value["agent"]),
                cores=_count(value["cores"]),
                answers=_text(value["answers"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise Refused(
                "The browser sent something that is not a result.", "Reload the page and run it again."
            ) from None


def _latency(value: dict[str, Any]) -> Latency:
    runs, warm, batch = (_count(value[key]) for key in ("runs", "warm", "batch"))
    p50, p90, p99, tick = (_size(value[key]) for key in ("p50", "p90", "p99", "tick"))
    return Latency(runs, warm, batch, p50, p90, p99, tick)


def _flips(value: dict[str, Any] | None) -> Count | None:
    if value is None:
        return None
    k, n = _count(value["k"]), _count(value["n"])
    if k > n:
        raise ValueError(k)
    return Count(k, n)


def _count(value: Any) -> int:
    number = int(value)
    if not 0 <= number < 2**53:
        raise ValueError(number)
    return number


def _size(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number) or number < 0:
        raise ValueError(number)
    return number


def _text(value: Any) -> str:
    return str(value)[:LONGEST]
