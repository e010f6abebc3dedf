"""What a technique did to one tensor of weights."""

from dataclasses import asdict, dataclass
from typing import Any, Self


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

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a change from ``to_json``."""
        bins = value["histogram"]
        after = value["shape_after"]
        return cls(
            **{
                **value,
                "shape": tuple(value["shape"]),
                "shape_after": None if after is None else tuple(after),
                "histogram": bins and Histogram(bins["low"], bins["high"], tuple(bins["before"]), tuple(bins["after"])),
            }
        )
