"""Ladders of recipes for the search: each has one knob, from gentle to aggressive, and says what it can make smaller.

Where a heat map tells what each tensor bears, the knob is a number of bytes, and the map says how each tensor shares in
it; else all tensors are treated alike.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from core.domain.format import Summary
from core.domain.recipe import Step
from core.domain.technique import Family, Technique
from core.domain.transform import option_fields
from core.domain.tuning import Goal, HeatMap
from core.techniques import TECHNIQUES
from core.verbs.tuning import layerwise
from core.verbs.tuning.layerwise import Steps

FILES = frozenset((Goal.SIZE, Goal.TRAVEL))
RUNNING = frozenset((Goal.LATENCY, Goal.MEMORY))
ALL = FILES | RUNNING

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
TRAINING = (0.2, 3.0, 1 / 30)
"""Minutes that one training is reckoned to take: at least, at most, and as a share of those of the whole search."""
PACE = 1.2
"""Trillions of operations that a training is reckoned to compute in a minute; it ends by them and not by the clock, so that equal seeds give equal answers."""
PASSES = 150
"""Times that a training sees each sample in a minute at most: small models take their time to begin a step."""
LATE = (5.0, 7.5)
"""Times the reckoned minutes, and minutes at most, after which the clock ends a training after all."""
LONGER = 3
"""Times that a training takes when the search comes back to it."""
ENOUGH = 1000
"""Samples to learn from, below which training seldom gains."""
CLEAN_UP = Step("clean_up")


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

    times: int = 1
    """How many times as long it trains as the ladder that it comes from."""


@dataclass(frozen=True)
class Means:
    """What a search has: the samples that there are to learn from, and its minutes."""

    samples: int = 0
    minutes: float = 0.0

    @property
    def training(self) -> Step:
        """The step that trains; the longer the search, the longer it."""
        least, most, share = TRAINING
        return trained(min(most, max(least, share * self.minutes)))


def ladders(summary: Summary, goal: Goal, heat: HeatMap | None, keep: str, means: Means) -> list[Ladder]:
    """Return the ladders whose techniques are here, apply to a file with this summary, and can win at the goal."""
    fitting = (ladder for ladder in _every(heat, means.training) if goal in ladder.goals and ladder.rungs)
    able = (ladder for ladder in fitting if means.samples >= ENOUGH or means.training not in ladder.rungs[0])
    return [keeping(ladder, keep) for ladder in able if _applies(ladder.rungs[0], summary, keep)]


def longer(ladder: Ladder, within: int | None) -> Ladder | None:
    """Return a ladder with longer trainings that begins beyond the rung that held; None where nothing trains, or for long already, or nothing is beyond."""
    minutes = LONGER * max(map(reckoned, ladder.rungs[0]), default=0.0)
    start = 0 if within is None else within + 1
    if not 0 < minutes <= TRAINING[1] or start == len(ladder.rungs):
        return None
    rungs = tuple(tuple(trained(minutes) if reckoned(step) else step for step in rung) for rung in ladder.rungs)
    times = LONGER * ladder.times
    name, title = (
        ladder.id.partition("_x")[0] + f"_x{times}",
        ladder.title.partition(" (")[0] + f" ({times} times as long)",
    )
    return replace(ladder, id=name, title=title, rungs=rungs, losses=(), start=start, rank=0, times=times)


def trained(minutes: float) -> Step:
    """Return the step that trains for about so many minutes."""
    times, most = LATE
    bounds = {"teraflops": round(PACE * minutes, 3), "epochs": round(PASSES * minutes)}
    return Step("fine_tune", {**bounds, "minutes": round(min(times * minutes, most), 2)})


def reckoned(step: Step) -> float:
    """Return the minutes that a step is reckoned to train."""
    return float(step.options.get("teraflops", 0.0)) / PACE


def _every(heat: HeatMap | None, training: Step) -> Iterator[Ladder]:
    sharing, pruning, integers = map(str, (Family.SHARING, Family.PRUNING, Family.QUANTIZATION))
    mixed, shared = list(layerwise.mixed(heat)), list(layerwise.shared(heat))
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
    yield Ladder("pruned_16", "Pruned evenly, 16 values", pruning, tuple(_pruned(4.0)), FILES, 3)
    yield Ladder("pruned_8", "Pruned evenly, 8 values", pruning, tuple(_pruned(3.0)), FILES, 3)
    yield Ladder("low_rank_16", "Low rank, 16 values", str(Family.LOW_RANK), tuple(_low_rank(4.0)), FILES, 4)
    sparing = tuple(_sparing(heat))
    yield Ladder(
        "exact_int8", "Static int8, all but the sensitive layers", integers, sparing, RUNNING, 0, start=len(sparing) - 1
    )
    yield Ladder("dynamic", "Dynamic int8", integers, ((Step("dynamic_int8"),),), ALL, 4, 0.23)
    yield Ladder("low_rank", "Low rank", str(Family.LOW_RANK), tuple(_low_rank(None)), RUNNING, 3)
    yield Ladder("float16", "Float16 weights", integers, ((Step("float16"),),), FILES, 5, 0.45)
    yield Ladder("clean_up", "Clean up", str(Family.CLEAN_UP), ((CLEAN_UP,),), ALL, 5)
    trees = (Step("clean_trees"),), *((Step("prune_trees", {"changed predictions": share}),) for share in FLIPS)
    yield Ladder("trees", "Fewer and smaller trees", pruning, trees, ALL, 0)
    thin = Step("prune_channels", {"share": CUTS[0], "spread": "even"})
    found = tuple(
        (thin, Step("codebooks_second_order", {"bits": bits})) for bits in layerwise.BUDGETS[8::2] if bits >= 1.2
    )
    yield Ladder("thin_shared", "Slightly fewer channels, shared weights", "recipe", found, FILES, 1.5)
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
        ("trained", "Fewer channels, trained", (training,), RUNNING, 1.5),
        ("trained_int8", "Fewer channels, trained, int8", (training, int8), RUNNING, 0.5),
        ("trained_shared", "Fewer channels, trained, shared weights", (training, shared), FILES, 6),
    )
    for id, title, then, goals, rank in rows:
        family, start = "recipe" if then else str(Family.PRUNING), TRAINED if training in then else CAREFUL
        yield Ladder(id, title, family, tuple((one, *then) for one in cuts[goals]), goals, rank, start=start)


def _applies(steps: Steps, summary: Summary, keep: str) -> bool:
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
    names = dict.fromkeys([*filter(None, str(step.options.get("keep", "")).split(",")), *keep.split(",")])
    return Step(step.transform, {**step.options, "keep": ",".join(names)})


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
