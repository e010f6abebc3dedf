"""The way up a ladder of recipes: where bisection stands, and what may come next."""

from dataclasses import dataclass, field
from math import sqrt

from core.domain.tuning import Point
from core.ladders import Ladder


@dataclass
class Walk:
    """Bisection on one ladder for the most aggressive rung within the drop: all up to ``low`` are taken to be, none from ``high`` on."""

    ladder: Ladder
    low: int = -1
    high: int = -1
    tried: int = 0
    within: int | None = None
    reason: str = ""
    measures: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.high = len(self.ladder.rungs)

    @property
    def next(self) -> int | None:
        """The rung to try now; None at the end of the walk."""
        return None if self.high - self.low <= 1 else (self.low + self.high) // 2

    @property
    def left(self) -> int:
        """Rungs to try at most."""
        return (self.high - self.low - 1).bit_length()

    def note(self, point: Point) -> None:
        """Write down what a rung came to.

        One that a technique refused counts as too gentle, for that is what they refuse where nothing gets smaller; a
        fault ends the walk.
        """
        self.tried += 1
        if point.measure is not None:
            self.measures[point.rung] = point.measure
        if point.within:
            self.within = point.rung
        if point.broken or not point.sha256:
            self.reason = point.reason
        if point.broken:
            self.high = self.low + 1
        elif point.within or not point.sha256:
            self.low = point.rung
        else:
            self.high = point.rung

    def hopeless(self, best: float | None) -> bool:
        """Say whether even the gentlest rung that was too aggressive is no better than the best so far."""
        return best is not None and self.measures.get(self.high, 0.0) >= best

    def guess(self) -> float | None:
        """Return what the next rung may measure, from its neighbours; None where nothing is known yet."""
        gentle, harsh = (self.measures.get(rung) for rung in (self.low, self.high))
        if gentle is not None and harsh is not None:
            return sqrt(gentle * harsh)
        return 0.8 * gentle if gentle is not None else 1.25 * harsh if harsh is not None else None
