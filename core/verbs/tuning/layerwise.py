"""Recipes layer by layer: what pruning and sharing make of each tensor, by what the heat map says that it bears."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log2, sqrt
from statistics import median

from core.domain.recipe import Step
from core.domain.tuning import HeatMap, Row
from core.shrink.sensitivity import Change, chosen

BUDGETS = tuple(round(6 * 0.93**step, 2) for step in range(36))
"""Bits per weight, on average over the model."""
GAP = 1.5
"""Bits that the step from one entry to the next takes beyond the information in it."""
COST = 0.3
"""Of the predictions that a layer's change moves, those that turn wrong; measured candidates correct it."""

Steps = tuple[Step, ...]


def mixed(heat: HeatMap | None) -> Iterator[tuple[Steps, float]]:
    """Yield recipes in which each tensor has the share that is pruned and the values that are kept by what it bears, and what they should lose."""
    rows = free(heat)
    for picked in _within_budgets(rows, {row.name: joint(row) for row in rows}):
        steps = recipe(picked)
        if len(steps) > 1:
            yield steps, foretold(heat, sum(one.error for one in picked.values()))


@dataclass(frozen=True)
class Choice:
    """What one tensor may become: the share that is pruned, the values that are kept, and what that should take and cost."""

    share: float
    levels: int
    bytes: int
    error: float


def recipe(picked: dict[str, Choice]) -> Steps:
    """Return the steps that make each named tensor what was chosen for it."""
    shares = ",".join(f"{name}={one.share:g}" for name, one in picked.items() if one.share)
    levels = ",".join(f"{name}={one.levels}" for name, one in picked.items())
    share = Step("codebooks_second_order", {"levels": levels})
    return (Step("prune_second_order", {"shares": shares}), share) if shares else (share,)


def foretold(heat: HeatMap | None, error: float) -> float:
    """Return the loss to expect at an error of the answers: changed predictions grow with its root, as the map shows."""
    cells = [cell for row in (heat.rows if heat else ()) for cell in row.cells if cell.changed and cell.error > 0]
    slopes = [c.changed.k / c.changed.n / sqrt(c.error) for c in cells if c.changed and c.changed.k > 1]
    return COST * sqrt(max(error, 0.0)) * (median(slopes) if slopes else 1.0)


def joint(row: Row) -> list[Choice]:
    """Return what pruning and sharing together make of a tensor; their errors are taken to add up."""
    cells = {cell.change: cell for cell in row.cells}
    shares = {0.0: 0.0} | {_number(id) / 100: one.error for id, one in cells.items() if id.startswith("pruned-")}
    values = {int(_number(id)): one for id, one in cells.items() if id.startswith("values-")}
    return [
        Choice(share, levels, _bytes(row, share, levels) if share else cell.bytes, error + cell.error)
        for share, error in shares.items()
        for levels, cell in values.items()
    ]


def _bytes(row: Row, share: float, levels: int) -> int:
    return int(row.parameters * (1 - share) * (log2(levels) + log2(1 / (1 - share)) + GAP) / 8)


def shared(heat: HeatMap | None) -> Iterator[tuple[Steps, float | None]]:
    """Yield recipes of shared weights, and what they should lose; by the heat map where it knows enough, else measured by the technique itself."""
    rows = free(heat)
    if not rows:
        yield from (((Step("codebooks_second_order", {"bits": bits}),), None) for bits in BUDGETS if bits >= 1)
        return
    for picked in _within_budgets(rows, {row.name: [one for one in joint(row) if not one.share] for row in rows}):
        yield recipe(picked), foretold(heat, sum(one.error for one in picked.values()))


def _within_budgets(rows: list[Row], choices: dict[str, list[Choice]]) -> Iterator[dict[str, Choice]]:
    """Yield what is chosen for each tensor within each budget, alike choices once; nothing without rows."""
    changes = {
        name: [Change(n, one.bytes, one.error) for n, one in enumerate(found)] for name, found in choices.items()
    }
    seen = []
    for bits in BUDGETS if rows else ():
        found = chosen(changes, int(sum(row.parameters for row in rows) * bits / 8))
        picked = {name: choices[name][change.level] for name, change in found.items()}
        if picked not in seen:
            seen.append(picked)
            yield picked


def free(heat: HeatMap | None) -> list[Row]:
    """Return the rows that may change, or none where the map is too coarse to choose by."""
    rows = [row for row in heat.rows if not row.kept] if heat else []
    return rows if all(sum(c.change.startswith("values-") for c in row.cells) > 3 for row in rows) else []


def _number(change: str) -> float:
    return float(change.rpartition("-")[2])
