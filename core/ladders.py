"""Ladders of recipes for the search: each has one knob, from gentle to aggressive, and says what it can make smaller.

Where a heat map tells what each tensor bears, the knob is a number of bytes, and the map says how each tensor shares in
it; else all tensors are treated alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log2
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
FINE_TUNE = Step("fine_tune", {"minutes": 0.3})
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
    rank: int
    floor: float = 0.0
    """The share of the source's bytes below which no rung can come."""


def ladders(summary: dict[str, Any], goal: Goal, heat: HeatMap | None, keep: str) -> list[Ladder]:
    """Return the ladders whose techniques are here, apply to a file with this summary, and can win at the goal."""
    fitting = (ladder for ladder in _every(heat) if goal in ladder.goals and ladder.rungs)
    return [_keeping(ladder, keep) for ladder in fitting if _applies(ladder.rungs[0], summary, keep)]


def _every(heat: HeatMap | None) -> Iterator[Ladder]:
    sharing, pruning, integers = map(str, (Family.SHARING, Family.PRUNING, Family.QUANTIZATION))
    yield Ladder("mixed", "Pruned and shared, layer by layer", "recipe", tuple(_mixed(heat)), FILES, 0)
    yield Ladder("shared", "Shared weights, layer by layer", sharing, tuple(_shared(heat)), FILES, 1)
    yield Ladder("gptq", "Integer weights, corrected", integers, tuple(_gptq()), FILES, 2)
    yield Ladder("static", "Static int8, weights of fewer bits", integers, tuple(_static()), FILES, 2)
    yield Ladder("pruned_16", "Pruned alike, 16 values", pruning, tuple(_pruned(4.0)), FILES, 3)
    yield Ladder("pruned_8", "Pruned alike, 8 values", pruning, tuple(_pruned(3.0)), FILES, 3)
    yield Ladder("low_rank_16", "Low rank, 16 values", str(Family.LOW_RANK), tuple(_low_rank(4.0)), FILES, 4)
    yield Ladder("exact_int8", "Static int8, all but the sensitive layers", integers, tuple(_sparing(heat)), RUNNING, 0)
    yield Ladder("dynamic", "Dynamic int8", integers, ((Step("dynamic_int8"),),), ALL, 4, 0.23)
    yield Ladder("low_rank", "Low rank", str(Family.LOW_RANK), tuple(_low_rank(None)), RUNNING, 2)
    yield Ladder("float16", "Float16 weights", integers, ((Step("float16"),),), FILES, 5, 0.45)
    yield Ladder("clean_up", "Clean up", str(Family.CLEAN_UP), ((CLEAN_UP,),), ALL, 5)
    yield from _narrower()


def _narrower() -> Iterator[Ladder]:
    """Yield the ladders that cut whole channels, where the shelf holds what they need."""
    family = str(Family.PRUNING)
    cut = [Step("prune_channels", {"share": share}) for share in CUTS]
    int8, small = Step("static_int8"), Step("static_int8", {"weight_bits": 4, "table_bits": 6})
    tuned = [(one, FINE_TUNE) for one in cut]
    plain = tuple((one,) for one in cut)
    yield Ladder("channels", "Fewer channels", family, plain, RUNNING, 1)
    yield Ladder("channels_int8", "Fewer channels, int8", "recipe", tuple((one, int8) for one in cut), RUNNING, 1)
    yield Ladder("channels_small", "Fewer channels, 4 bits", "recipe", tuple((one, small) for one in cut), FILES, 5)
    yield Ladder("trained", "Fewer channels, trained", "recipe", tuple(tuned), RUNNING, 3)
    yield Ladder(
        "trained_int8", "Fewer channels, trained, int8", "recipe", tuple((*t, int8) for t in tuned), RUNNING, 2
    )
    yield Ladder(
        "trained_small", "Fewer channels, trained, 4 bits", "recipe", tuple((*t, small) for t in tuned), FILES, 6
    )


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


def _keeping(ladder: Ladder, keep: str) -> Ladder:
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


def _mixed(heat: HeatMap | None) -> Iterator[Steps]:
    """Yield recipes in which each tensor has the share that is pruned and the values that are kept by what it bears."""
    rows = _free(heat)
    if not rows:
        return
    choices = {row.name: list(_joint(row)) for row in rows}
    changes = {name: [Change(n, size, error) for n, (_, _, size, error) in enumerate(c)] for name, c in choices.items()}
    seen = []
    for bits in BUDGETS:
        found = chosen(changes, int(sum(row.parameters for row in rows) * bits / 8))
        picked = {name: choices[name][change.level] for name, change in found.items()}
        shares = ",".join(f"{name}={share:g}" for name, (share, *_) in picked.items() if share)
        levels = ",".join(f"{name}={levels}" for name, (_, levels, *_) in picked.items())
        if shares and (shares, levels) not in seen:
            seen.append((shares, levels))
            share = Step("codebooks_second_order", {"levels": levels})
            yield Step("prune_second_order", {"shares": shares}), share


def _joint(row: Row) -> Iterator[tuple[float, int, int, float]]:
    """Yield share, values, bytes and error of pruning and sharing together; errors of both are taken to add up."""
    cells = {cell.change: cell for cell in row.cells}
    shares = {0.0: 0.0} | {_number(id) / 100: one.error for id, one in cells.items() if id.startswith("pruned-")}
    values = {int(_number(id)): one for id, one in cells.items() if id.startswith("values-")}
    for share, error in shares.items():
        for levels, cell in values.items():
            size = (
                cell.bytes
                if not share
                else row.parameters * (1 - share) * (log2(levels) + log2(1 / (1 - share)) + GAP) / 8
            )
            yield share, levels, int(size), error + cell.error


def _shared(heat: HeatMap | None) -> Iterator[Steps]:
    """Yield recipes of shared weights; by the heat map where it knows enough, else measured by the technique itself."""
    rows = _free(heat)
    changes = {
        row.name: [
            Change(int(_number(c.change)), c.bytes, c.error) for c in row.cells if c.change.startswith("values-")
        ]
        for row in rows
    }
    seen = []
    for bits in BUDGETS:
        options: dict[str, Any] = {"bits": bits}
        if changes:
            found = chosen(changes, int(sum(row.parameters for row in rows) * bits / 8))
            options = {"levels": ",".join(f"{name}={change.level}" for name, change in found.items())}
        if options not in seen and (changes or bits >= 1):
            seen.append(options)
            yield (Step("codebooks_second_order", options),)


def _free(heat: HeatMap | None) -> list[Row]:
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
        yield Step("prune_second_order", {"share": share}), even


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
