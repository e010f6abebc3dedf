"""What a model costs to run: how its speed compares with another file's, and the memory that it takes."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from statistics import median
from typing import Any, Self

SAME = 1.01
"""Two files within 1 % of one another count as equally fast; the session objects of one file alone differ by as much."""

QUIET = 1.2
"""An interference index above this says that other work on the machine stretched the wall-clock times."""


class Pace(StrEnum):
    """How a variant runs beside its parent; ``unclear`` means that a longer measurement could tell."""

    FASTER = "faster"
    SLOWER = "slower"
    SAME = "same"
    UNCLEAR = "unclear"

    @staticmethod
    def of(low: float, high: float) -> "Pace":
        """Judge the interval of parent time / variant time: outside the band of 1 % around 1, inside it, or across its edge."""
        if low > SAME:
            return Pace.FASTER
        if high < 1 / SAME:
            return Pace.SLOWER
        return Pace.SAME if low >= 1 / SAME and high <= SAME else Pace.UNCLEAR


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one call: the median of processor time, then median, 95th and 99th percentile and least of wall-clock time."""

    cpu_p50: float
    p50: float
    p95: float
    p99: float
    least: float

    def to_json(self) -> dict[str, float]:
        """Return the fields as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild the times from ``to_json``."""
        return cls(**{field.name: float(value[field.name]) for field in fields(cls)})


@dataclass(frozen=True)
class Kernels:
    """How many operators an engine runs for one answer: products in integers, in floats, steps between both, and all."""

    integer: int
    floating: int
    between: int
    all: int

    def to_json(self) -> dict[str, int]:
        """Return the fields as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild the counts from ``to_json``."""
        return cls(**{field.name: int(value[field.name]) for field in fields(cls)})


@dataclass(frozen=True)
class Race:
    """A paired comparison of two files on the same inputs, in processor time of the process that ran both.

    ``ratio`` is parent time / variant time, so 2 means that the variant takes half the time; ``low`` and ``high`` bound
    its 95 % interval. ``rounds`` counts the pairs of samples over all ``sessions``, each sample the mean of ``calls`` calls.
    """

    ratio: float
    low: float
    high: float
    rounds: int
    sessions: int
    calls: int
    batch: int
    threads: int
    interference: float
    """Wall-clock time / processor time over all samples: 1 on a quiet machine."""
    parent: Latency
    variant: Latency

    @property
    def pace(self) -> Pace:
        """The verdict on the variant."""
        return Pace.of(self.low, self.high)

    @property
    def disturbed(self) -> bool:
        """Say whether other work stretched the wall-clock times; the ratio is of processor time and holds all the same."""
        return self.interference > QUIET

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values, with the verdict."""
        return asdict(self) | {"pace": str(self.pace), "disturbed": self.disturbed}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a race from ``to_json``; the verdict is worked out again. Raises ValueError for a time that is no number."""
        shares = [float(value[name]) for name in ("ratio", "low", "high", "interference")]
        if not all(math.isfinite(share) and share > 0 for share in shares):
            raise ValueError("a race has a ratio that is not a positive number")
        ratio, low, high, interference = shares
        rounds, sessions, calls, batch, threads = (
            int(value[name]) for name in ("rounds", "sessions", "calls", "batch", "threads")
        )
        parent, variant = (Latency.from_json(value[who]) for who in ("parent", "variant"))
        return cls(ratio, low, high, rounds, sessions, calls, batch, threads, interference, parent, variant)


def apart(one: Sequence[float], other: Sequence[float]) -> bool:
    """Say whether two spreads, each the lowest and the highest of some measurements, do not overlap."""
    return one[1] < other[0] or other[1] < one[0]


@dataclass(frozen=True)
class Footprint:
    """Megabytes (2^20 bytes) of one file, and of memory beyond what its process held before it opened the file.

    ``loaded`` is resident memory once the file is open, of which ``anonymous`` is the process's own and ``mapped`` is
    pages of files, which the system can share and drop; the peaks are the highest residence while it is opened and while
    it answers. Each is the median of ``runs`` fresh processes.
    """

    file: float
    loaded: float
    anonymous: float
    mapped: float
    load_peak: float
    inference_peak: float
    batch: int
    runs: int = 1
    spread: tuple[float, float] | None = None
    """The lowest and the highest ``peak`` among the runs."""

    @property
    def peak(self) -> float:
        """The larger of the two peaks: what must be free to use the model."""
        return max(self.load_peak, self.inference_peak)

    @classmethod
    def of(cls, runs: "list[Footprint]") -> "Footprint":
        """Return the median of each figure over measurements of one file in processes of their own."""
        names = ("file", "loaded", "anonymous", "mapped", "load_peak", "inference_peak")
        middle = {name: median(getattr(run, name) for run in runs) for name in names}
        peaks = [run.peak for run in runs]
        return cls(**middle, batch=runs[0].batch, runs=len(runs), spread=(min(peaks), max(peaks)))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values, with the larger peak."""
        return asdict(self) | {"peak": self.peak}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a footprint from ``to_json``."""
        figures = {f.name: float(value[f.name]) for f in fields(cls) if f.type is float}
        spread = tuple(value["spread"]) if value["spread"] else None
        return cls(**figures, batch=int(value["batch"]), runs=int(value["runs"]), spread=spread)
