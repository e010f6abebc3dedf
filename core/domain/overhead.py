"""What a model costs to run: how its speed compares with another file's, and the memory that it takes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import ClassVar

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


@dataclass(frozen=True)
class Kernels:
    """How many operators an engine runs for one answer: products in integers, in floats, steps between both, and all."""

    integer: int
    floating: int
    between: int
    all: int


@dataclass(frozen=True)
class Race:
    """A paired comparison of two files on the same inputs, in processor time of the process that ran both.

    ``ratio`` is parent time / variant time, so 2 means that the variant takes half the time; ``low`` and ``high`` bound
    its 95 % interval. ``rounds`` counts the pairs of samples over all ``sessions``, each sample the mean of ``calls`` calls.
    """

    DERIVED: ClassVar = ("pace", "disturbed")

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

    def __post_init__(self) -> None:
        if not all(math.isfinite(one) and one > 0 for one in (self.ratio, self.low, self.high, self.interference)):
            raise ValueError("a race has a ratio that is not a positive number")

    @property
    def pace(self) -> Pace:
        """The verdict on the variant."""
        return Pace.of(self.low, self.high)

    @property
    def disturbed(self) -> bool:
        """Say whether other work stretched the wall-clock times; the ratio is of processor time and holds all the same."""
        return self.interference > QUIET


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

    DERIVED: ClassVar = ("peak",)

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
