"""What a technique did to one tensor of weights."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Histogram:
    """How many weights lie in each of equal bins between two values, before and after."""

    low: float
    high: float
    before: tuple[int, ...]
    after: tuple[int, ...]


@dataclass(frozen=True)
class WeightChange:
    """One tensor of the source and what stands in its place.

    ``bytes_after`` counts all that the file stores for it, indices and codebook included. Where nothing of the same
    number of weights stands in its place, ``values``, ``moved`` and ``histogram`` are None.
    """

    name: str
    shape: tuple[int, ...]
    shape_after: tuple[int, ...] | None
    bytes_before: int
    bytes_after: int | None
    zeros: int | None
    """Weights that are exactly zero now."""

    values: int | None
    """Different values among the weights now."""

    moved: float | None
    """Root mean square of the change, as a share of the root mean square of the weights."""

    histogram: Histogram | None
