"""The search for the best trade-off: what it minimises, what each layer bears, what was tried, and what the verdict is."""

import math
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from core.domain.report import Count, Quality

PRIOR_CHANGED, PRIOR_LOST, PRIOR_WON = 10.0, 5.0, 2.0
CAUTION = 0.25
"""Standard errors: what is within the drop with them on top is within it with a probability of 60 %."""
RULE = (
    "A candidate is within the allowed drop when it lost no more than that on the selection samples and, with a probability of "
    "60 % or more, loses no more on other samples. That probability is estimated from the right answers lost and won among "
    "the changed predictions; a gain never counts, and ten more changes are assumed, five of them lost and two won. Without "
    "labels every changed prediction counts as lost; for an error such as RMSE, its growth counts."
)
"""How selection data decides; the numbers are those above."""


class Goal(StrEnum):
    """What the search makes small."""

    SIZE = "size"
    TRAVEL = "travel"
    LATENCY = "latency"
    MEMORY = "memory"


class Standing(StrEnum):
    """Where one ladder stands; the last three are ends."""

    WAITING = "waiting"
    WALKING = "walking"
    WALKED = "walked"
    OVERTAKEN = "cannot win"
    REFUSED = "refused"


@dataclass(frozen=True)
class Cell:
    """One change of one tensor alone: the bytes that it would take, the error of the answers as a share of their variance, and the changed predictions."""

    change: str
    bytes: int
    error: float
    changed: Count | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self) | {"changed": self.changed.to_json() if self.changed else None}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a cell. Raises ValueError for an error that is no number."""
        error = float(value["error"])
        if not math.isfinite(error):
            raise ValueError("a cell has an error that is no number")
        changed = Count.from_json(value["changed"]) if value["changed"] else None
        return cls(str(value["change"]), int(value["bytes"]), error, changed)


@dataclass(frozen=True)
class Row:
    """One weight tensor of the heat map: the operator that reads it, its shape, numbers and bytes, and a cell a change."""

    name: str
    operator: str
    shape: tuple[int, ...]
    parameters: int
    bytes: int
    cells: tuple[Cell, ...]
    kept: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {**asdict(self), "shape": list(self.shape), "cells": [cell.to_json() for cell in self.cells]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a row."""
        cells = tuple(Cell.from_json(cell) for cell in value["cells"])
        shape = tuple(int(size) for size in value["shape"])
        numbers = int(value["parameters"]), int(value["bytes"])
        return cls(str(value["name"]), str(value["operator"]), shape, *numbers, cells, bool(value.get("kept", False)))


@dataclass(frozen=True)
class HeatMap:
    """What each tensor bears: the changes by id with their titles, a row a tensor, and how many samples were asked."""

    changes: dict[str, str]
    rows: tuple[Row, ...]
    samples: int

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {"changes": dict(self.changes), "rows": [row.to_json() for row in self.rows], "samples": self.samples}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a heat map from ``to_json``. Raises ValueError for numbers that are none."""
        changes = {str(id): str(title) for id, title in value["changes"].items()}
        return cls(changes, tuple(Row.from_json(row) for row in value["rows"]), int(value["samples"]))

    def keeping(self, names: set[str]) -> Self:
        """Return the map with the rows marked that stay as they are."""
        return replace(self, rows=tuple(replace(row, kept=row.name in names) for row in self.rows))


@dataclass(frozen=True)
class Loss:
    """What selection samples say of a candidate, as shares: the loss on them, the loss to expect on others, and its standard error."""

    share: float
    expected: float
    error: float

    @classmethod
    def of_answers(cls, n: int, changed: int, lost: int, won: int) -> Self:
        """Return the loss where of ``n`` right or wrong answers some changed, some of these from right to wrong, some back.

        The changes that lose or win an answer are what varies (McNemar 1947); what a change costs is drawn towards what
        changes usually cost, and is never a gain, so that a few that happen to do no harm are not taken for proof: among
        many candidates there are always some that are lucky.
        """
        tried = changed + PRIOR_CHANGED
        cost = (max(lost - won, 0) + PRIOR_LOST - PRIOR_WON) / tried
        variance = (lost + won + PRIOR_LOST + PRIOR_WON) / tried - cost * cost
        return cls((lost - won) / n, changed * cost / n, changed * math.sqrt(max(variance, 0.0) / tried) / n)

    @classmethod
    def of_changes(cls, n: int, changed: int) -> Self:
        """Return the loss where nobody knows which answers are right."""
        return cls(changed / n, changed / n, math.sqrt(changed) / n)

    @property
    def cautious(self) -> float:
        """The expected loss with ``CAUTION`` on top; see ``RULE``."""
        return self.expected + CAUTION * self.error

    def within(self, allowed: float) -> bool:
        """Say whether this is within the drop; see ``RULE``."""
        return max(self.share, self.cautious) <= allowed


@dataclass(frozen=True)
class Score:
    """What a candidate answered on the selection samples: its loss, its quality with labels, the changed predictions of classes, or why its answers are none."""

    loss: Loss
    quality: Quality | None = None
    changed: Count | None = None
    fault: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        parts = {"quality": self.quality, "changed": self.changed}
        return {
            "loss": asdict(self.loss),
            "fault": self.fault,
            **{name: part.to_json() if part else None for name, part in parts.items()},
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a score. Raises ValueError for a loss that is no number."""
        loss = Loss(**{name: float(value["loss"][name]) for name in ("share", "expected", "error")})
        if not all(map(math.isfinite, asdict(loss).values())):
            raise ValueError("a loss is no number")
        quality = Quality.from_json(value["quality"]) if value["quality"] else None
        changed = Count.from_json(value["changed"]) if value["changed"] else None
        return cls(loss, quality, changed, str(value["fault"]))


@dataclass(frozen=True)
class Point:
    """One candidate that was tried: where it stands on its ladder, and what it came to. ``measure`` is what is minimised.

    Sizes are bytes; ``time`` is the share of the source's processor time, ``memory`` the megabytes that must be free;
    both are measured only where the search needs them. ``lost`` is a share of the selection samples, or of RMSE.
    """

    number: int
    ladder: str
    rung: int
    title: str
    family: str
    recipe: tuple[dict[str, Any], ...]
    seconds: float
    reason: str = ""
    """Why a technique refused; then there is nothing below."""
    broken: bool = False
    """It did not refuse but failed, as by its limits."""
    sha256: str = ""
    size: int | None = None
    travel: int | None = None
    time: float | None = None
    memory: float | None = None
    quality: float | None = None
    metric: str = ""
    changed: Count | None = None
    lost: float | None = None
    expected: float | None = None
    cautious: float | None = None
    within: bool = False
    measure: float | None = None
    files: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the artifact and of its bundle, where the candidate was the best when it came."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        changed = self.changed.to_json() if self.changed else None
        return asdict(self) | {"recipe": list(self.recipe), "changed": changed}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a point from ``to_json``."""
        changed = Count.from_json(value["changed"]) if value["changed"] else None
        return cls(**{**value, "recipe": tuple(value["recipe"]), "changed": changed})


@dataclass(frozen=True)
class Look:
    """One look at the test half: at which point, and what it said."""

    point: int
    verdict: str
    reason: str
    files: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Progress:
    """Where one ladder stands, for a line on the page: rungs from gentle to aggressive, those tried, the last that is within the drop."""

    id: str
    title: str
    family: str
    standing: Standing
    rungs: int
    tried: int
    within: int | None
    left: int
    """Candidates to come at most."""
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self) | {"standing": str(self.standing)}
