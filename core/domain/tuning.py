"""The search for the best trade-off: what it minimises, what each layer bears, what was tried, and what the verdict is."""

import math
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from core.domain.report import Count

PRIOR_CHANGED, PRIOR_LOST = 10.0, 3.0
CAUTION = 0.5
RULE = (
    "A candidate is within the drop when no more than that was lost on the selection samples, and when the loss to "
    "expect on others, plus half its standard error, is no more either. The loss to expect is the share of changed "
    "predictions times the part of them that is lost, reckoned as if ten more had changed and three of those were lost; "
    "so a few changes that happen to do no harm are not taken for proof. Without labels every change counts as lost; "
    "of an error such as RMSE, half the allowed growth is taken."
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
    """What selection samples say: of ``n``, how many predictions changed, and how many right answers were lost on balance, or None without labels."""

    n: int
    changed: int
    lost: float | None

    @property
    def share(self) -> float:
        """What was lost, as a share of the samples."""
        return (self.changed if self.lost is None else self.lost) / self.n

    @property
    def expected(self) -> float:
        """The share to expect on other samples; see ``RULE``."""
        if self.lost is None:
            return self.changed / self.n
        return self.changed / self.n * (self.lost + PRIOR_LOST) / (self.changed + PRIOR_CHANGED)

    @property
    def cautious(self) -> float:
        """The expected share with half its standard error on top."""
        return self.expected + CAUTION * math.sqrt(self.changed) / self.n

    def within(self, allowed: float) -> bool:
        """Say whether this is within the drop; see ``RULE``."""
        return max(self.share, self.cautious) <= allowed


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
