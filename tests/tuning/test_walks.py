"""The arithmetic of the search: the way up a ladder, what few samples prove, recipes near one, and what survives JSON."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.calls import sensitivity
from core.calls.bench import Bench
from core.domain.codec import decode, encode
from core.domain.format import Layer, Summary
from core.domain.recipe import Step
from core.domain.technique import QUARTERS
from core.domain.tuning import Cell, Goal, HeatMap, Loss, Point, Row
from core.domain.work import Data, Model
from core.sandbox.tools import Tools
from core.verbs.tuning import ladders
from core.verbs.tuning.ladders import CLEAN_UP, Ladder, Means, longer
from core.verbs.tuning.neighbours import neighbours
from core.verbs.tuning.trials import trial
from core.verbs.tuning.walks import Walk
from tests.tuning.small import asked


def ladder(rungs: int = 9) -> Ladder:
    """A ladder with nothing on it."""
    return Ladder("one", "One", "pruning", tuple((Step("float16"),) for _ in range(rungs)), frozenset(Goal), 0)


def point(rung: int, within: bool = False, measure: float | None = None, size: int | None = 1, **more: Any) -> Point:
    """A point on that ladder."""
    return Point(0, "one", rung, "One", "pruning", (), 1.0, size=size, within=within, measure=measure, **more)


@pytest.mark.parametrize(("growth", "most"), [(1.35, 4), (1.1, 6), (2.5, 5)])
def test_a_walk_finds_the_last_rung_within_the_drop(growth: float, most: int) -> None:
    for last in range(-1, 9):
        walk = Walk(ladder(), 0.01)
        while (rung := walk.next) is not None:
            walk.note(point(rung, rung <= last, 100.0 - rung, cautious=0.01 * growth ** (rung - last - 0.5)))
        assert walk.within == (last if last >= 0 else None)
        assert walk.tried <= most


def test_a_walk_goes_by_what_is_foretold_and_by_what_was_measured() -> None:
    losses = tuple(0.001 * 2**rung for rung in range(12))
    walk = Walk(replace(ladder(12), losses=losses), 0.01)
    assert walk.next == 3
    walk.note(point(3, measure=60.0, cautious=0.032))
    assert walk.next == 1
    walk.note(point(1, True, 80.0, cautious=0.009))
    assert walk.next == 2
    walk = Walk(ladder(), 0.01)
    walk.note(point(4, size=None, reason="too gentle"))
    assert walk.next == 6
    walk.note(point(6, measure=50.0, cautious=0.02))
    assert walk.hopeless(50.0)
    assert not walk.hopeless(51.0)
    walk.note(point(5, size=None, reason="no room", broken=True))
    assert walk.next is None
    assert walk.reason == "no room"


def test_a_few_changes_are_no_proof_and_many_come_close_to_what_is_allowed() -> None:
    of = Loss.of_answers
    assert of(250, 0, 0, 0).within(0.0)
    assert of(250, 4, 2, 2).within(0.005)
    assert not of(250, 9, 4, 5).within(0.005)
    assert not of(250, 2, 2, 0).within(0.005)
    assert of(2500, 60, 23, 14).within(0.005)
    assert not of(2500, 60, 28, 14).within(0.005)
    assert of(25_000, 400, 210, 96).within(0.005)
    assert not Loss.of_changes(100, 1).within(0.01)
    assert Loss.of_changes(1000, 9).within(0.01)


def test_a_winner_holds_on_other_samples_more_often_than_not() -> None:
    rng, held, n, drop = np.random.default_rng(8), [], 2500, 0.005
    for _ in range(4000):
        lost, won = rng.uniform(0.002, 0.014), rng.uniform(0.001, 0.006)
        seen, others = (rng.multinomial(n, [lost, won, 1 - lost - won])[:2] for _ in range(2))
        if Loss.of_answers(n, int(1.4 * seen.sum()), *map(int, seen)).within(drop):
            held.append((others[0] - others[1]) / n <= drop)
    assert 0.8 < np.mean(held) < 1.0


def test_recipes_near_one_change_one_tensor_or_two_and_save_bytes() -> None:
    cells = [Cell(f"values-{n}", 40 * n, 1 / n**2) for n in (2, 4, 8, 16)]
    rows = [Row(name, "MatMul", (32, 32), 1024, 4096, tuple(cells)) for name in ("a", "b")]
    heat = HeatMap({}, tuple(rows), 64)
    step = Step("codebooks_second_order", {"levels": "a=8,b=4"})
    found = neighbours((step, Step("clean_up")), heat)
    recipes = {one.rungs[0][0].options["levels"] for one in found}
    assert recipes == {"a=4,b=4", "a=8,b=2"}
    assert len({one.id for one in found}) == len(found)
    assert not neighbours((Step("float16"),), heat)


def test_float16_follows_shared_values_and_leaves_what_is_kept() -> None:
    shared = Step("codebooks", {"keep": "a"})
    found = trial((shared, CLEAN_UP))
    assert (found.steps, found.after) == ((shared,), (Step("float16", {"keep": "a"}), CLEAN_UP))
    assert trial((Step("static_int8"),)).after == (CLEAN_UP,)
    alone = trial((CLEAN_UP,))
    assert (alone.steps, alone.after) == ((CLEAN_UP,), ())


def test_a_ladder_that_trains_comes_back_with_longer_trainings() -> None:
    short = Means(2000, minutes=10).training
    rungs = tuple((Step("prune_channels", {"share": share}), short) for share in (0.1, 0.2))
    begun = replace(ladder(), rungs=rungs)
    again = longer(begun, within=0)
    assert again
    assert {name: again.rungs[1][1].options[name] / value for name, value in short.options.items()} == pytest.approx(
        {"teraflops": 3, "epochs": 3, "minutes": 3}, rel=0.01
    )
    assert again.rungs[1][1].options["minutes"] > 2 * ladders.reckoned(again.rungs[1][1])
    assert again.rungs[0][0] == rungs[0][0]
    assert Walk(again, 0.01).next == 1
    last = longer(again, within=None)
    assert last
    assert last.rungs[0][1] == ladders.trained(9 * ladders.reckoned(short))
    assert longer(last, within=None) is None
    assert longer(begun, within=1) is None
    assert longer(ladder(), within=None) is None
    assert len({begun.id, again.id, last.id}) == 3
    assert last.title == "One (9 times as long)"


def test_points_and_heat_maps_survive_json(files: tuple[Path, Path], tools: Tools) -> None:
    args = asked(tools, *files)
    bench = Bench(tools)
    data = replace(Data(**args["data"]), half=QUARTERS[0])
    heat = sensitivity.ask(bench, Model(args["sha256"], args["size"], "onnx"), data)
    again = decode(HeatMap, json.loads(json.dumps(encode(heat))))
    assert again == heat
    found = ladders.ladders(
        Summary("onnx", operators={"MatMul": 3}, layers=(Layer("w", "float32", (2, 2)),), precision="float32"),
        Goal.SIZE,
        heat,
        "",
        Means(),
    )
    mixed = next(one for one in found if one.id == "mixed")
    assert all(len(rung) == 2 for rung in mixed.rungs)
    assert len(mixed.rungs) == len(mixed.losses) > 5
    assert mixed.losses[0] < mixed.losses[-1]
    one = point(3, True, 2.0)
    assert decode(Point, json.loads(json.dumps(encode(one)))) == one
