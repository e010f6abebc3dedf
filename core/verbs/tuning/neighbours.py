"""Recipes near one that is known: one tensor a step harder, alone or with another a step gentler, by what the heat map says."""

import zlib
from collections.abc import Callable, Iterator
from itertools import product

from core.domain.recipe import Step
from core.domain.technique import Family
from core.domain.tuning import HeatMap
from core.verbs.tuning.ladders import FILES, Ladder
from core.verbs.tuning.layerwise import Choice, Steps, free, joint, recipe

NEAR = "near_"
"""How the names of these ladders begin."""
MOST = 16
"""Recipes around one."""
RANK = 1.0
"""Before the ladders that have not been tried yet and seldom win; see ``Ladder``."""
KNOWN = frozenset(("prune_second_order", "codebooks_second_order", "float16", "clean_up"))
"""The techniques of recipes that say what becomes of each tensor."""

Picked = dict[str, Choice]


def neighbours(steps: tuple[Step, ...], heat: HeatMap | None) -> list[Ladder]:
    """Return ladders of one rung for recipes of fewer bytes, those first that should lose least for what they save.

    There are none where it does not say for each tensor what becomes of it.
    """
    choices = {row.name: joint(row) for row in free(heat)}
    now = read(steps, choices)
    if not now:
        return []
    moves = sorted(_moves(now, choices), key=lambda move: _price(now, move))
    return [_ladder(recipe(now | move), _title(now, move), place) for place, move in enumerate(moves[:MOST])]


def _ladder(rung: Steps, title: str, place: int) -> Ladder:
    name = f"{NEAR}{zlib.crc32(repr(rung).encode()):08x}"
    return Ladder(name, title, str(Family.SHARING), (rung,), FILES, RANK + place / 100)


def read(steps: tuple[Step, ...], choices: dict[str, list[Choice]]) -> Picked:
    """Return what a recipe makes of each tensor; nothing where it does not say it of all."""
    said = {step.transform: step.options for step in steps}
    levels = _pairs(str(said.get("codebooks_second_order", {}).get("levels", "")))
    shares = _pairs(str(said.get("prune_second_order", {}).get("shares", "")))
    now = {
        name: one
        for name, found in choices.items()
        for one in found
        if (one.levels, one.share) == (levels.get(name), shares.get(name, 0.0))
    }
    return now if set(now) == set(choices) and set(said) <= KNOWN else {}


def _pairs(text: str) -> dict[str, float]:
    return {name: float(value) for entry in text.split(",") if entry for name, _, value in [entry.rpartition("=")]}


def _moves(now: Picked, choices: dict[str, list[Choice]]) -> Iterator[Picked]:
    """Yield what changes: one tensor harder, or one harder and another gentler, where that saves bytes."""
    harder = {n: one for n in now if (one := _next(now[n], choices[n], lambda a, b: b.bytes < a.bytes, _cost))}
    gentler = {n: one for n in now if (one := _next(now[n], choices[n], lambda a, b: b.error < a.error, _gain))}
    for name, one in harder.items():
        yield {name: one}
    for (a, one), (b, other) in product(harder.items(), gentler.items()):
        if a != b and one.bytes + other.bytes < now[a].bytes + now[b].bytes:
            yield {a: one, b: other}


def _next(
    now: Choice,
    choices: list[Choice],
    fits: Callable[[Choice, Choice], bool],
    price: Callable[[Choice, Choice], float],
) -> Choice | None:
    return min((one for one in choices if fits(now, one)), key=lambda one: price(now, one), default=None)


def _cost(now: Choice, then: Choice) -> float:
    return (then.error - now.error) / (now.bytes - then.bytes)


def _gain(now: Choice, then: Choice) -> float:
    return -(now.error - then.error) / max(then.bytes - now.bytes, 1)


def _price(now: Picked, move: Picked) -> float:
    error = sum(one.error - now[name].error for name, one in move.items())
    return error / sum(now[name].bytes - one.bytes for name, one in move.items())


def _title(now: Picked, move: Picked) -> str:
    words = ["harder" if one.bytes < now[name].bytes else "gentler" for name, one in move.items()]
    return "Near the best: " + ", ".join(f"{name[:40]} {word}" for name, word in zip(move, words, strict=True))
