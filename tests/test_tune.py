"""The search keeps its promises: equal seeds, no early look at the test half, a best that outlives any stop, honest verdicts."""

import json
import random
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from core import bench, compress, finishing, ladders, trials, tune
from core.__main__ import main
from core.bench import Bench, Data, Model
from core.compress import Effort
from core.domain.errors import Refused
from core.domain.job import State
from core.domain.recipe import Step
from core.domain.technique import HALVES, QUARTERS
from core.domain.tuning import Cell, Goal, HeatMap, Loss, Point, Row
from core.ladders import Ladder
from core.neighbours import neighbours
from core.proof.datasets import Dataset
from core.tools import Memory, Tools
from core.walks import Walk
from core.workspace import Workspace, open_workspace

VISITOR = "v" + "0" * 32
SIZES = (32, 96, 64, 4)


def network(folder: Path) -> tuple[Path, list[Any]]:
    """Write a small network of three layers, and return it with its matrices."""
    rng = np.random.default_rng(3)
    matrices = [(rng.standard_t(4, size=(a, b)) / np.sqrt(2 * a)).astype(np.float32) for a, b in pairwise(SIZES)]
    nodes, value = [], "x"
    for number, _ in enumerate(matrices):
        nodes.append(helper.make_node("MatMul", [value, f"w{number}"], [f"h{number}"]))
        value = f"h{number}"
        if number < len(matrices) - 1:
            nodes.append(helper.make_node("Relu", [value], [f"r{number}"]))
            value = f"r{number}"
    ends = [helper.make_tensor_value_info(value, TensorProto.FLOAT, ["n", SIZES[-1]])]
    begins = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", SIZES[0]])]
    tensors = [numpy_helper.from_array(matrix, f"w{number}") for number, matrix in enumerate(matrices)]
    graph = helper.make_graph(nodes, "g", begins, ends, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx", matrices


def scores(matrices: list[Any], x: Any) -> Any:
    """Return what the network answers."""
    for matrix in matrices[:-1]:
        x = np.maximum(x @ matrix, 0)
    return x @ matrices[-1]


def margins(found: Any) -> Any:
    """Return by how much the first class leads the second."""
    ordered = np.sort(found, axis=1)
    return ordered[:, -1] - ordered[:, -2]


def samples(folder: Path, matrices: list[Any], n: int = 900) -> Path:
    """Write samples with the network's own answers as labels, a few of them wrong."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(n, SIZES[0])).astype(np.float32)
    y = scores(matrices, x).argmax(axis=1)
    y[::25] = (y[::25] + 1) % SIZES[-1]
    np.savez(folder / "data.npz", x=x, y=y)
    return folder / "data.npz"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The network and its samples."""
    model, matrices = network(tmp_path)
    return model, samples(tmp_path, matrices)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the real ladders and short races, so that a search soon ends by itself."""
    every = ladders._every

    def chosen(heat: HeatMap | None) -> Iterator[Ladder]:
        return (ladder for ladder in every(heat) if ladder.id == "gptq")

    monkeypatch.setattr(ladders, "_every", chosen)
    short_races(monkeypatch)


def short_races(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure for a moment only, in one process each."""
    monkeypatch.setattr(compress, "RACE_SECONDS", 0.2)
    monkeypatch.setattr(bench, "FOOTPRINTS", 1)
    for module in (trials, finishing):
        monkeypatch.setattr(module, "QUICK", Effort(0.2, 1))


class Notes(Memory):
    """Remembers what it was told, as the store does."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self.said: list[str] = []

    def known(self, verb: str, args: dict[str, Any]) -> dict[str, Any] | None:
        """Return an answer, or what a stopped search kept."""
        if verb == "tune":
            return self.kept[-1] if self.kept else None
        return self.answers.get(json.dumps(args, sort_keys=True))

    def answer(self, verb: str, args: dict[str, Any], result: dict[str, Any]) -> None:
        """Keep an answer."""
        self.answers[json.dumps(args, sort_keys=True)] = result

    def keep(self, result: dict[str, Any]) -> None:
        """Keep what is known so far."""
        self.kept.append(json.loads(json.dumps(result)))
        self.said.append(f"stage {result['stage']}")


class Watched(Bench):
    """Writes down which part of the data each task was given."""

    def _run(self, task: str, request: dict[str, Any], *rest: Any, **named: Any) -> Any:
        parts = [request[key] for key in ("half", "learns", "scores") if request.get(key)]
        self.tools.memory.said.extend(f"{task} {part}" for part in parts)  # type: ignore[attr-defined]
        return super()._run(task, request, *rest, **named)


def asked(tools: Tools, model: Path, samples: Path, **more: Any) -> dict[str, Any]:
    """Name a search as a page does."""
    blob = tools.blobs.put(model)
    return {
        "sha256": blob.sha256,
        "size": blob.size,
        "format": "onnx",
        "name": model.name,
        "artifact": None,
        "consent": False,
        "data": {"sha256": tools.blobs.put(samples).sha256, "name": samples.name, "label": None},
        "max_drop": 0.02,
        "minimise": "size",
        "minutes": 5.0,
        "seed": 7,
        "keep": [],
        **more,
    }


def tried(result: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return what defines the candidates in their order."""
    return [(p["ladder"], p["rung"], p["sha256"], p["lost"], p["within"]) for p in result["points"]]


def test_equal_seeds_give_equal_answers_and_the_test_half_is_seen_last(
    few: None, files: tuple[Path, Path], tools: Tools
) -> None:
    first, second = Notes(), Notes()
    second.answers = first.answers
    results = []
    for notes in (first, second):
        told = replace(tools, memory=notes)
        results.append(tune.on(Watched(told), asked(told, *files, keep=["w0"])))
    one, other = results
    assert tried(one) == tried(other)
    assert one["best"]["sha256"] == other["best"]["sha256"]
    assert one["best"]["size"] < one["source"]["size"] * 0.8
    assert one["stage"] == "done"
    assert [look["verdict"] for look in one["looks"]][-1] == "PASS"
    assert "looked at once" in one["sentence"]
    assert one["points"][one["best"]["number"]]["within"]
    parts = [entry.split()[1] for entry in first.said if not entry.startswith("stage")]
    before = first.said[: first.said.index("stage judging")]
    assert {entry.split()[1] for entry in before if not entry.startswith("stage")} == set(QUARTERS)
    assert {entry for entry in first.said if entry.startswith("attempt")} == {"attempt learning", "attempt selection"}
    assert parts.count("test") >= 2
    walked = {line["id"]: line["standing"] for line in one["ladders"]}
    assert walked == {"gptq": "walked"}
    assert kept(tools.blobs.path(one["best"]["sha256"]), files[0], "w0")
    rows = {row["name"]: row for row in one["heat"]["rows"]}
    assert [name for name, row in rows.items() if row["kept"]] == ["w0"]
    assert set(rows) == {"w0", "w1", "w2"}
    cells = {cell["change"]: cell for cell in rows["w1"]["cells"]}
    assert cells["int8"]["error"] < cells["values-4"]["error"] < cells["values-2"]["error"]
    assert cells["values-2"]["bytes"] < cells["values-16"]["bytes"] < rows["w1"]["bytes"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace of this test's own."""
    opened = open_workspace(tmp_path / "home")
    yield opened
    opened.close()


def until(ready: Any, seconds: float = 90.0) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_cancel_leaves_the_best_so_far_and_going_on_repeats_nothing(
    few: None, files: tuple[Path, Path], home: Workspace
) -> None:
    store, queue = home.store, home.queue
    model, data = files
    blob, sample = store.blobs.put(model), store.blobs.put(data)
    job = queue.submit(VISITOR, "ingest", {"sha256": blob.sha256, "size": blob.size, "name": "net.onnx"})
    brought = queue.wait(VISITOR, job.id, 60).result
    assert brought
    args = {
        "sha256": blob.sha256, "size": blob.size, "format": "onnx", "name": "net.onnx", "consent": False,
        "artifact": brought["artifact_id"], "data": {"sha256": sample.sha256, "name": "data.npz", "label": None},
        "max_drop": 0.02, "minimise": "size", "minutes": 5.0, "seed": 7, "keep": [],
    }  # fmt: skip
    hunt = queue.submit(VISITOR, "tune", args)
    until(lambda: (queue.job(VISITOR, hunt.id).result or {}).get("best"))
    time.sleep(random.Random(11).uniform(0, 1))
    queue.cancel(VISITOR, hunt.id)
    stopped = queue.wait(VISITOR, hunt.id, 60)
    assert stopped.state is State.CANCELLED
    assert stopped.result
    best = stopped.result["best"]
    onnxruntime.InferenceSession(store.blobs.path(best["files"]["artifact"]).read_bytes())
    assert "verify.py" in zipfile.ZipFile(store.blobs.path(best["files"]["bundle"])).namelist()
    made = {artifact.sha256 for artifact in store.artifacts(VISITOR)}
    assert best["files"]["artifact"] in made
    queue.retry(VISITOR, hunt.id)
    done = queue.wait(VISITOR, hunt.id, 120)
    assert done.state is State.DONE, done.trouble
    assert done.result
    before = len(stopped.result["points"])
    assert tried(done.result)[:before] == tried(stopped.result)
    assert done.result["seconds"] > stopped.result["seconds"]
    lines = [event.text for event in queue.events(VISITOR, hunt.id)]
    assert sum(line.startswith("Measuring what each layer bears") for line in lines) <= 2
    for point in stopped.result["points"]:
        words = f"{point['title']}, rung {point['rung'] + 1} of"
        assert sum(line.startswith(words) for line in lines) == 1
    assert done.result["looks"]
    assert store.reports(VISITOR, args["artifact"], "tuning")
    assert queue.submit(VISITOR, "tune", args).id == hunt.id


@pytest.mark.slow
def test_a_winner_by_luck_is_told_and_the_next_is_offered(few: None, tmp_path: Path, tools: Tools) -> None:
    model, matrices = network(tmp_path)
    rng = np.random.default_rng(5)
    x = rng.normal(size=(9000, SIZES[0])).astype(np.float32)
    lead = margins(scores(matrices, x))
    on_test = half_of(x) == "test"
    chosen = np.concatenate(
        [np.flatnonzero(~on_test & (lead > 0.5))[:400], np.flatnonzero(on_test & (lead < 0.05))[:200]]
    )
    np.savez(tmp_path / "data.npz", x=x[chosen], y=scores(matrices, x[chosen]).argmax(axis=1))
    notes = Notes()
    told = replace(tools, memory=notes)
    result = tune.run(told, asked(told, model, tmp_path / "data.npz", max_drop=0.01))
    verdicts = [look["verdict"] for look in result["looks"]]
    assert verdicts[0] == "FAIL"
    assert 1 <= len(verdicts) <= finishing.LOOKS
    assert "The winner of the search failed there: Accuracy went from" in result["sentence"]
    if verdicts[-1] == "FAIL":
        assert result["best"] is None
        assert "Nothing is left to offer" in result["sentence"]
    else:
        assert f"looked at {len(verdicts)} times" in result["sentence"]


def half_of(x: Any) -> Any:
    """Return the half that each sample belongs to."""
    found = np.full(len(x), HALVES[0], dtype=object)
    order = {row.tobytes(): place for place, row in enumerate(x)}
    for row in Dataset({"x": x}, None, len(x)).half("test").inputs["x"]:
        found[order[row.tobytes()]] = "test"
    return found


def test_quarters_cut_the_calibration_half_alone() -> None:
    x = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)
    whole = Dataset({"x": x}, np.arange(400), 400)
    first, *quarters = ({row.tobytes() for row in whole.half(part).inputs["x"]} for part in (HALVES[0], *QUARTERS))
    assert quarters[0] | quarters[1] == first
    assert not quarters[0] & quarters[1]
    assert min(map(len, quarters)) > 60


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data": None}, "there are none"),
        ({"format": "torch_export"}, "are not tuned here"),
        ({"minimise": "beauty"}, "nothing to minimise"),
        ({"max_drop": 1.5}, "share from 0"),
        ({"keep": ["nothing"]}, "called nothing"),
    ],
)
def test_what_cannot_be_searched_is_refused(
    change: dict[str, Any], words: str, files: tuple[Path, Path], tools: Tools
) -> None:
    with pytest.raises(Refused, match=words) as refusal:
        tune.run(tools, asked(tools, *files, **change))
    assert refusal.value.next_step


def test_a_model_without_weights_has_no_smaller_files(tmp_path: Path, tools: Tools) -> None:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Softmax", ["x"], ["y"])],
        "g",
        [value("x", TensorProto.FLOAT, ["n", 3])],
        [value("y", TensorProto.FLOAT, ["n", 3])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "m.onnx")
    x = np.random.default_rng(1).normal(size=(60, 3)).astype(np.float32)
    np.savez(tmp_path / "d.npz", x=x)
    result = tune.run(tools, asked(tools, tmp_path / "m.onnx", tmp_path / "d.npz"))
    assert result["best"] is None
    assert "No weight tensor" in result["heatless"]
    assert {line["id"] for line in result["ladders"]} == {"clean_up"}
    assert not result["looks"]


def kept(best: Path, source: Path, name: str) -> bool:
    """Say whether a weight of the source is in a file as it was, whatever it is called there."""
    whole = next(numpy_helper.to_array(one) for one in onnx.load(source).graph.initializer if one.name == name)
    arrays = [numpy_helper.to_array(one) for one in onnx.load(best).graph.initializer]
    return any(array.shape == whole.shape and np.array_equal(array, whole) for array in arrays)


@pytest.mark.slow
def test_the_command_line_fills_the_folder(
    few: None, files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data = files
    out = tmp_path / "tuned"
    words = ["tune", str(model), "--data", str(data), "--max-drop", "0.02", "-o", str(out)]
    assert main([*words, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (out / "best.onnx").stat().st_size == result["best"]["size"]
    assert "verify.py" in zipfile.ZipFile(out / "best.zip").namelist()
    assert json.loads((out / "report.json").read_text())["points"] == result["points"]
    again = ["compress", str(model), "--recipe", str(out / "recipe.json"), "--data", str(data), "--max-drop", "0.05"]
    assert main([*again, "-o", str(tmp_path / "again.onnx"), "--json"]) == 0
    capsys.readouterr()


@pytest.mark.slow
def test_stopping_the_command_line_leaves_the_best_in_the_folder(
    few: None, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, probe = tmp_path / "tuned", Bench.probe
    monkeypatch.setattr(
        Bench, "probe", lambda self, *args: stop() if (out / "best.onnx").exists() else probe(self, *args)
    )

    def stop() -> Any:
        raise KeyboardInterrupt

    words = ["tune", str(files[0]), "--data", str(files[1]), "--max-drop", "0.02", "-o", str(out)]
    assert main(words) == 130
    onnxruntime.InferenceSession((out / "best.onnx").read_bytes())
    assert json.loads((out / "report.json").read_text())["best"]


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
    found = neighbours((step.to_json(), Step("clean_up").to_json()), heat)
    recipes = {one.rungs[0][0].options["levels"] for one in found}
    assert recipes == {"a=4,b=4", "a=8,b=2"}
    assert len({one.id for one in found}) == len(found)
    assert not neighbours((Step("float16").to_json(),), heat)


def test_points_and_heat_maps_survive_json(files: tuple[Path, Path], tools: Tools) -> None:
    args = asked(tools, *files)
    bench = Bench(tools)
    data = replace(Data(**args["data"]), half=QUARTERS[0])
    heat = bench.sensitivity(Model(args["sha256"], args["size"], "onnx"), data)
    again = HeatMap.from_json(json.loads(json.dumps(heat.to_json())))
    assert again == heat
    found = ladders.ladders({"operators": {"MatMul": 3}, "layers": [1], "precision": "float32"}, Goal.SIZE, heat, "")
    mixed = next(one for one in found if one.id == "mixed")
    assert all(len(rung) == 2 for rung in mixed.rungs)
    assert len(mixed.rungs) == len(mixed.losses) > 5
    assert mixed.losses[0] < mixed.losses[-1]
    one = point(3, True, 2.0)
    assert Point.from_json(json.loads(json.dumps(one.to_json()))) == one


def test_a_cancelled_search_stops_at_once(files: tuple[Path, Path], tools: Tools) -> None:
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(Exception, match=r"stopped|cancel|Cancel"):
        tune.run(replace(tools, cancel=stopped), asked(tools, *files))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("goal", "id", "figure"),
    [("travel", "gptq", "travel"), ("latency", "dynamic", "time"), ("memory", "float16", "memory")],
)
def test_each_goal_measures_what_it_is_about(
    goal: str, id: str, figure: str, files: tuple[Path, Path], tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = ladders._every

    def chosen(heat: HeatMap | None) -> Iterator[Ladder]:
        found = (ladder for ladder in every(heat) if ladder.id == id)
        return (replace(ladder, rungs=ladder.rungs[:1], goals=frozenset(Goal)) for ladder in found)

    monkeypatch.setattr(ladders, "_every", chosen)
    short_races(monkeypatch)
    result = tune.run(tools, asked(tools, *files, minimise=goal, minutes=0.5, max_drop=0.1))
    held = [point for point in result["points"] if point["within"]]
    assert held
    assert all(point[figure] == point["measure"] > 0 for point in held)
    assert result["source"]["measure"] > 0
    assert result["seconds"] < 50
    assert (result["best"] is None) == (not result["frontier"])
