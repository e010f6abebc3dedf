"""Ladders of recipes for the search: each has one knob, from gentle to aggressive, and says what it can make smaller.

Where a heat map tells what each tensor bears, the knob is a number of bytes, and the map says how each tensor shares in
it; else all tensors are treated alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log2, sqrt
from statistics import median
from typing import Any

from core.domain.recipe import Step
from core.domain.technique import Family, Technique
from core.domain.transform import option_fields
from core.domain.tuning import Goal, HeatMap, Row
from core.sensitivity import Change, chosen
from core.techniques import TECHNIQUES

FILES = frozenset((Goal.SIZE, Goal.TRAVEL))
RUNNING = frozenset((Goal.LATENCY, Goal.MEMORY))
ALL = FILES | RUNNING

BUDGETS = tuple(round(6 * 0.93**step, 2) for step in range(36))
"""Bits a weight, on average over the model."""
GAP = 1.5
"""Bits that the step from one entry to the next takes beyond the information in it."""
SHARES = (0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, 0.96)
ENERGIES = (0.999, 0.995, 0.99, 0.98, 0.96, 0.93, 0.9, 0.85, 0.8, 0.7)
CUTS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
"""Shares of the channels that go."""
BLOCKS = 8
"""Residual blocks that may go."""
CAREFUL, TRAINED = 1, 3
"""The cuts to begin with, without and with training."""
FLIPS = (0.0, 0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1)
"""Shares of the predictions that pruned trees may change on the learning samples."""
TRAINING = (0.3, 3.0, 1 / 30)
"""Minutes of one training: at least, at most, and as a share of those of the whole search."""
ENOUGH = 1000
"""Samples to learn from, below which training seldom gains."""
COST = 0.3
"""Of the predictions that a layer's change moves, those that turn wrong; measured candidates correct it."""
CLEAN_UP = Step("clean_up")

Steps = tuple[Step, ...]


@dataclass(frozen=True)
class Ladder:
    """Recipes from gentle to aggressive, and what they make smaller; the lower the rank, the sooner it is tried."""

    id: str
    title: str
    family: str
    rungs: tuple[Steps, ...]
    goals: frozenset[Goal]
    rank: float
    floor: float = 0.0
    """The share of the source's bytes below which no rung can come."""

    losses: tuple[float, ...] = ()
    """What each rung is foretold to lose, by the heat map; empty where nothing says it."""

    start: int | None = None
    """The rung to begin with where nothing is foretold; None for the end of the first third."""


@dataclass(frozen=True)
class Means:
    """What a search has: the samples that there are to learn from, and its minutes."""

    samples: int = 0
    minutes: float = 0.0

    @property
    def training(self) -> Step:
        """The step that trains; the longer the search, the longer it."""
        least, most, share = TRAINING
        return Step("fine_tune", {"minutes": round(min(most, max(least, share * self.minutes)), 2)})


def ladders(summary: dict[str, Any], goal: Goal, heat: HeatMap | None, keep: str, means: Means) -> list[Ladder]:
    """Return the ladders whose techniques are here, apply to a file with this summary, and can win at the goal."""
    fitting = (ladder for ladder in _every(heat, means.training) if goal in ladder.goals and ladder.rungs)
    able = (ladder for ladder in fitting if means.samples >= ENOUGH or means.training not in ladder.rungs[0])
    return [keeping(ladder, keep) for ladder in able if _applies(ladder.rungs[0], summary, keep)]


def _every(heat: HeatMap | None, training: Step) -> Iterator[Ladder]:
    sharing, pruning, integers = map(str, (Family.SHARING, Family.PRUNING, Family.QUANTIZATION))
    mixed, shared = list(_mixed(heat)), list(_shared(heat))
    foretold = tuple(loss for _, loss in mixed), tuple(loss for _, loss in shared if loss is not None)
    rungs = tuple(steps for steps, _ in mixed)
    yield Ladder("mixed", "Pruned and shared, layer by layer", "recipe", rungs, FILES, 0, losses=foretold[0])
    rungs = tuple((first, training, then, training) for first, then in rungs)
    losses = tuple(loss / 2 for loss in foretold[0])
    yield Ladder("mixed_trained", "Pruned, trained, shared, trained", "recipe", rungs, FILES, 6, losses=losses)
    rungs = tuple(steps for steps, _ in shared)
    yield Ladder("shared", "Shared weights, layer by layer", sharing, rungs, FILES, 1, losses=foretold[1])
    yield Ladder("gptq", "Integer weights, corrected", integers, tuple(_gptq()), FILES, 2)
    yield Ladder("static", "Static int8, weights of fewer bits", integers, tuple(_static()), FILES, 2)
    yield Ladder("pruned_16", "Pruned alike, 16 values", pruning, tuple(_pruned(4.0)), FILES, 3)
    yield Ladder("pruned_8", "Pruned alike, 8 values", pruning, tuple(_pruned(3.0)), FILES, 3)
    yield Ladder("low_rank_16", "Low rank, 16 values", str(Family.LOW_RANK), tuple(_low_rank(4.0)), FILES, 4)
    sparing = tuple(_sparing(heat))
    yield Ladder(
        "exact_int8", "Static int8, all but the sensitive layers", integers, sparing, RUNNING, 0, start=len(sparing) - 1
    )
    yield Ladder("dynamic", "Dynamic int8", integers, ((Step("dynamic_int8"),),), ALL, 4, 0.23)
    yield Ladder("low_rank", "Low rank", str(Family.LOW_RANK), tuple(_low_rank(None)), RUNNING, 3)
    yield Ladder("float16", "Float16 weights", integers, ((Step("float16"),),), FILES, 5, 0.45)
    yield Ladder("clean_up", "Clean up", str(Family.CLEAN_UP), ((CLEAN_UP,),), ALL, 5)
    trees = (Step("clean_trees"),), *((Step("prune_trees", {"flips": share}),) for share in FLIPS)
    yield Ladder("trees", "Fewer and smaller trees", pruning, trees, ALL, 0)
    thin = Step("prune_channels", {"share": CUTS[0], "spread": "even"})
    found = tuple((thin, Step("codebooks_second_order", {"bits": bits})) for bits in BUDGETS[8::2] if bits >= 1.2)
    yield Ladder("thin_shared", "A few channels less, shared weights", "recipe", found, FILES, 1.5)
    fewer = tuple(Step("drop_blocks", {"blocks": blocks}) for blocks in range(1, BLOCKS + 1))
    yield Ladder("blocks", "Fewer blocks", pruning, tuple((one,) for one in fewer), RUNNING, 1.5, start=0)
    found = tuple((one, Step("static_int8")) for one in fewer)
    yield Ladder("blocks_int8", "Fewer blocks, int8", "recipe", found, RUNNING, 2, start=0)
    yield from _narrower(training)


def _narrower(training: Step) -> Iterator[Ladder]:
    """Yield the ladders that cut whole channels, where the shelf holds what they need."""
    cuts = {
        goals: [Step("prune_channels", {"share": share, "spread": spread}) for share in CUTS]
        for goals, spread in ((RUNNING, "measured"), (FILES, "even"))
    }
    int8, small = Step("static_int8"), Step("static_int8", {"weight_bits": 4, "table_bits": 6})
    shared = Step("codebooks_second_order", {"bits": 3.0, "spread": "even"})
    rows: tuple[tuple[str, str, Steps, frozenset[Goal], float], ...] = (
        ("channels", "Fewer channels", (), RUNNING, 1),
        ("channels_int8", "Fewer channels, int8", (int8,), RUNNING, 1),
        ("channels_shared", "Fewer channels, shared weights", (shared,), FILES, 4),
        ("channels_small", "Fewer channels, int8 of 4 bits", (small,), FILES, 5),
        ("trained", "Fewer channels, trained", (training,), RUNNING, 2.5),
        ("trained_int8", "Fewer channels, trained, int8", (training, int8), RUNNING, 2),
        ("trained_shared", "Fewer channels, trained, shared weights", (training, shared), FILES, 6),
    )
    for id, title, then, goals, rank in rows:
        family, start = "recipe" if then else str(Family.PRUNING), TRAINED if training in then else CAREFUL
        yield Ladder(id, title, family, tuple((one, *then) for one in cuts[goals]), goals, rank, start=start)


def _applies(steps: Steps, summary: dict[str, Any], keep: str) -> bool:
    """Say whether all techniques are on the shelf and installed, heed what is to be kept, and the first applies."""
    on_shelf = {technique.id for technique in TECHNIQUES}
    if not all(step.transform in on_shelf for step in steps):
        return False
    found = [TECHNIQUES[step.transform] for step in steps]
    heeded = not keep or all(one.id in ("clean_up", "fine_tune") or keeps(one) for one in found)
    trained = bool(keep) and any(one.id == "fine_tune" for one in found)
    declared = all(set(s.options) <= {f.name for f in option_fields(TECHNIQUES[s.transform].Options)} for s in steps)
    return (
        heeded
        and not trained
        and declared
        and not any(t.unavailable() for t in found)
        and not found[0].applies(summary)
    )


def keeps(technique: Technique) -> bool:
    """Say whether a technique can leave named weights as they are."""
    return any(field.name == "keep" for field in option_fields(technique.Options))


def keeping(ladder: Ladder, keep: str) -> Ladder:
    """Return the ladder with the weights to be kept among the options of each step that has such an option."""
    if not keep:
        return ladder
    return Ladder(
        **{**vars(ladder), "rungs": tuple(tuple(_with_kept(step, keep) for step in rung) for rung in ladder.rungs)}
    )


def _with_kept(step: Step, keep: str) -> Step:
    if not keeps(TECHNIQUES[step.transform]):
        return step
    names = dict.fromkeys([*filter(None, step.options.get("keep", "").split(",")), *keep.split(",")])
    return Step(step.transform, {**step.options, "keep": ",".join(names)})


def _mixed(heat: HeatMap | None) -> Iterator[tuple[Steps, float]]:
    """Yield recipes in which each tensor has the share that is pruned and the values that are kept by what it bears, and what they should lose."""
    rows = free(heat)
    choices = {row.name: joint(row) for row in rows}
    changes = {
        name: [Change(n, one.bytes, one.error) for n, one in enumerate(found)] for name, found in choices.items()
    }
    seen = []
    for bits in BUDGETS if rows else ():
        found = chosen(changes, int(sum(row.parameters for row in rows) * bits / 8))
        picked = {name: choices[name][change.level] for name, change in found.items()}
        steps = recipe(picked)
        if len(steps) > 1 and steps not in seen:
            seen.append(steps)
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


def _shared(heat: HeatMap | None) -> Iterator[tuple[Steps, float | None]]:
    """Yield recipes of shared weights, and what they should lose; by the heat map where it knows enough, else measured by the technique itself."""
    rows = free(heat)
    if not rows:
        yield from (((Step("codebooks_second_order", {"bits": bits}),), None) for bits in BUDGETS if bits >= 1)
        return
    choices = {row.name: [one for one in joint(row) if not one.share] for row in rows}
    changes = {
        name: [Change(n, one.bytes, one.error) for n, one in enumerate(found)] for name, found in choices.items()
    }
    seen = []
    for bits in BUDGETS:
        found = chosen(changes, int(sum(row.parameters for row in rows) * bits / 8))
        picked = {name: choices[name][change.level] for name, change in found.items()}
        if picked not in seen:
            seen.append(picked)
            yield recipe(picked), foretold(heat, sum(one.error for one in picked.values()))


def free(heat: HeatMap | None) -> list[Row]:
    """Return the rows that may change, or none where the map is too coarse to choose by."""
    rows = [row for row in heat.rows if not row.kept] if heat else []
    return rows if all(sum(c.change.startswith("values-") for c in row.cells) > 3 for row in rows) else []


def _number(change: str) -> float:
    return float(change.rpartition("-")[2])


def _gptq() -> Iterator[Steps]:
    for bits in range(8, 1, -1):
        yield (Step("weights_gptq", {"bits": bits, "table_bits": min(8, bits + 1)}),)


def _static() -> Iterator[Steps]:
    for bits in range(8, 1, -1):
        yield (Step("static_int8", {"weight_bits": bits, "table_bits": min(8, bits + 1)}),)


def _pruned(bits: float) -> Iterator[Steps]:
    for share in SHARES:
        even = Step("codebooks_second_order", {"bits": bits, "spread": "even"})
        yield Step("prune_second_order", {"share": share, "spread": "even"}), even


def _low_rank(bits: float | None) -> Iterator[Steps]:
    for energy in ENERGIES:
        thin = Step("low_rank", {"energy": energy})
        yield (thin,) if bits is None else (thin, Step("codebooks_second_order", {"bits": bits, "spread": "even"}))


def _sparing(heat: HeatMap | None) -> Iterator[Steps]:
    """Yield int8 recipes in which fewer and fewer of the most sensitive layers stay float32."""
    rows = [row for row in heat.rows if {"Conv", "Gemm", "MatMul"} & set(row.operator.split(", "))] if heat else []
    worst = sorted(rows, key=lambda row: -next((c.error for c in row.cells if c.change == "int8"), 0.0))
    for spared in sorted({0, 1, 2, len(rows) // 4, len(rows) // 2}, reverse=True):
        if spared < max(1, len(rows)):
            names = ",".join(row.name for row in worst[:spared])
            yield (Step("static_int8", {"keep": names} if names else {}),)
