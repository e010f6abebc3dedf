"""The way up a ladder of recipes: where the search for its last rung within the drop stands, and what may come next."""

from dataclasses import dataclass, field
from math import log, sqrt

from core.domain.tuning import Point
from core.verbs.tuning.ladders import Ladder

GROWTH = 1.35
"""How many times more one rung is taken to lose than the one before, where a ladder does not say it."""
LEAST = 0.1
"""Of what is allowed: a smaller loss counts as this one, for nobody can tell so small ones apart."""


@dataclass
class Walk:
    """The search on one ladder for the most aggressive rung within the drop: all up to ``low`` are taken to be, none from ``high`` on.

    The next rung is the one where the loss should reach what is allowed: it grows along the ladder as the ladder says,
    and what was measured says from where.
    """

    ladder: Ladder
    allowed: float
    low: int = -1
    high: int = -1
    tried: int = 0
    within: int | None = None
    reason: str = ""
    measures: dict[int, float] = field(default_factory=dict)
    losses: dict[int, float] = field(default_factory=dict)
    """The logarithm of the measured loss as a share of what is allowed."""

    def __post_init__(self) -> None:
        self.high = len(self.ladder.rungs)

    @property
    def next(self) -> int | None:
        """The rung to try now; None at the end of the walk."""
        if self.high - self.low <= 1:
            return None
        return min(max(self.aimed(), self.low + 1), self.high - 1)

    @property
    def left(self) -> int:
        """Rungs to try at most, if each halves what is open."""
        return (self.high - self.low - 1).bit_length()

    def aimed(self) -> int:
        """Return the last rung that should lose no more than is allowed."""
        ends = [rung for rung in (self.low, self.high) if rung in self.losses]
        if not ends:
            return self.first() if not self.tried else (self.low + self.high) // 2
        target = self.shape(ends[0]) - self.losses[ends[0]]
        if len(ends) == 2:
            gentle, harsh = (self.shape(rung) for rung in ends)
            rise = self.losses[ends[1]] - self.losses[ends[0]]
            target = gentle - self.losses[ends[0]] * (harsh - gentle) / max(rise, 1e-9)
        return max((rung for rung in range(len(self.ladder.rungs)) if self.shape(rung) <= target), default=0)

    def first(self) -> int:
        """Return the rung to begin with: where the ladder foretells losses, the last that is foretold to be within the drop."""
        foretold = self.ladder.losses
        if foretold:
            return max((rung for rung, loss in enumerate(foretold) if loss <= self.allowed), default=0)
        return len(self.ladder.rungs) // 3 if self.ladder.start is None else self.ladder.start

    def shape(self, rung: int) -> float:
        """Return the logarithm of what a rung loses, but for a constant."""
        foretold = self.ladder.losses
        return log(max(foretold[rung], 1e-12)) if foretold else rung * log(GROWTH)

    def note(self, point: Point) -> None:
        """Write down what a rung came to.

        One that a technique refused counts as too gentle, for that is what they refuse where nothing gets smaller; a
        fault ends the walk.
        """
        self.tried += 1
        if point.measure is not None:
            self.measures[point.rung] = point.measure
        if point.cautious is not None:
            self.losses[point.rung] = log(max(point.cautious / max(self.allowed, 1e-9), LEAST))
        if point.within:
            self.within = point.rung
        if point.broken or point.size is None:
            self.reason = point.reason
        if point.broken:
            self.high = self.low + 1
        elif point.within or point.size is None:
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
