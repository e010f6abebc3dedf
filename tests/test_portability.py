"""Every target is tried, steps that routes share run once, and what was found is kept."""

import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import onnx
import pytest

from core import converters
from core.calls import probe
from core.calls.bench import Bench
from core.converters import CONVERTERS
from core.domain.codec import decode, encode
from core.domain.job import State
from core.domain.portability import Attempt, Portability, Standing
from core.domain.recipe import Step
from core.domain.report import Verdict
from core.domain.shelf import Shelf
from core.domain.transform import Converter, Tolerance
from core.domain.work import Model
from core.doors.commands import main
from core.doors.workspace import Workspace, open_workspace
from core.memory.blobs import Blob
from core.runtimes.onnxruntime import OnnxRuntime
from core.sandbox.tools import Memory, Tools
from core.verbs import convert, portability
from core.verbs.transform import Applied, apply, guilty
from tests.asking import ask, ask_on
from tests.faults import Faulty
from tests.test_convert import SAMPLES, bring

FASHION = SAMPLES / "fashion_cnn" / "model.onnx"
VISITOR = "v" + "0" * 32


class Absent(Converter):
    """A converter whose library is not installed."""

    title, sentence = "ONNX to nowhere", "Needs a library that nobody has."
    source, target, suffix = "onnx", "safetensors", ".safetensors"
    tolerance: ClassVar[Tolerance] = Tolerance(1e-4, 1e-4)

    def unavailable(self) -> str | None:
        """Return the reason with the command that helps."""
        return "The library is not installed: pip install -r requirements-nowhere.txt"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Shelf[Converter]:
    """A shelf with four of the real converters and one that cannot run here, so that a walk is short."""
    ids = ("onnx_external_to_onnx", "onnx_to_onnx", "onnx_to_ort", "pickle_to_skops")
    shelf: Shelf[Converter] = Shelf("converter", *(CONVERTERS[id] for id in ids), Absent())
    for module in (converters, convert, portability):
        monkeypatch.setattr(module, "CONVERTERS", shelf)
    return shelf


R = TypeVar("R")


class Notes(Memory):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []
        self.answers: dict[str, dict[str, Any]] = {}

    def known(self, verb: str, request: object, kind: type[R]) -> R | None:
        """Return an answer by its target."""
        found = self.answers.get(encode(request)["target"])
        return None if found is None else decode(kind, found)

    def answer(self, verb: str, request: object, result: object) -> None:
        """Keep an answer by its target."""
        self.answers[encode(request)["target"]] = encode(result)

    def keep(self, result: object) -> None:
        """Keep what is known so far."""
        self.kept.append(encode(result))


def zipped(folder: Path) -> Path:
    """Write the sample with its weights in a file of their own, in a zip."""
    onnx.save(onnx.load(FASHION), folder / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=1024)
    with zipfile.ZipFile(folder / "m.zip", "w") as archive:
        for name in ("m.onnx", "m.data"):
            archive.write(folder / name, name)
    return folder / "m.zip"


def standings(result: dict[str, Any]) -> dict[str, Standing]:
    """Return the standing of each target."""
    return {one.target: one.standing for one in decode(Portability, result).attempts}


def attempt(result: dict[str, Any], target: str) -> Attempt:
    """Return one target's attempt."""
    return next(one for one in decode(Portability, result).attempts if one.target == target)


def test_every_target_is_tried_and_shared_steps_run_once(few: Shelf[Converter], tools: Tools, tmp_path: Path) -> None:
    said: list[str] = []
    notes = Notes()
    tools = replace(tools, progress=lambda fraction, text: said.append(text), memory=notes)
    args = bring(tools, zipped(tmp_path))
    result = ask(portability, tools, args)
    assert standings(result) == {
        "onnx": Standing.PROVEN,
        "ort": Standing.PROVEN,
        "safetensors": Standing.MISSING,
        "skops": Standing.NO_ROUTE,
    }
    assert (result["proven"], result["of"]) == (2, 4)
    assert sum("Converting: External data to one ONNX file" in text for text in said) == 1
    ort = attempt(result, "ort")
    assert [leg.verdict for leg in ort.steps] == ["PASS", "PASS"]
    assert ort.samples is not None
    assert ort.samples >= 30
    assert ort.max_abs is not None
    assert ort.max_abs < 1e-4
    assert "requirements-nowhere.txt" in attempt(result, "safetensors").reason
    assert set(notes.answers) == {"onnx", "ort"}
    filled = [sum(one.over for one in standings(kept).values()) for kept in notes.kept]
    assert filled[0] == 2
    assert filled == sorted(filled)
    said.clear()
    again = ask(portability, tools, args)
    assert standings(again) == standings(result)
    assert not any("Converting" in text for text in said)


def test_a_fault_is_told_with_the_guilty_step(few: Shelf[Converter], tools: Tools, tmp_path: Path) -> None:
    args = bring(tools, zipped(tmp_path))
    result = ask_on(portability, Faulty(tools), args)
    for target in ("onnx", "ort"):
        one = attempt(result, target)
        assert one.standing is Standing.DIFFERS
        assert "Step 1, ONNX with external data (zip) to ONNX" in one.reason
        assert "They first differ at" in one.reason
        assert one.files == {}
    assert [leg.verdict for leg in attempt(result, "ort").steps] == ["FAIL", None]


class Late(Faulty):
    """Plants the fault in what the last of two steps wrote."""

    converter: str = ""

    def call(self, call: Any, request: Any, *rest: Any, **named: Any) -> Any:
        """Note which converter runs."""
        self.converter = getattr(request, "converter", self.converter)
        return super().call(call, request, *rest, **named)

    def keep(self, path: Path) -> Blob:
        """Keep an honest file from the zip and a spoilt one from ONNX."""
        honest = self.converter == "onnx_external_to_onnx"
        return (Bench if honest else Faulty).keep(self, path)


def test_the_second_step_is_named_and_compared_alone(tools: Tools, tmp_path: Path) -> None:
    args = bring(tools, zipped(tmp_path))
    source = Model(args["sha256"], args["size"], args["format"])
    bench = Late(tools)
    ids = ("onnx_external_to_onnx", "onnx_to_onnx")
    steps = [(CONVERTERS[id], Step(id, {})) for id in ids]
    applied = apply(bench, source, steps, probe.ask(bench, source, None))
    assert [one.parity.verdict for one in applied] == [Verdict.PASS, Verdict.FAIL]
    assert applied[1].alone is not None
    assert applied[1].alone.verdict is Verdict.FAIL
    assert applied[1].parity.diverges_at
    words = guilty(applied, ["zip", "ONNX", "ONNX"])
    assert words is not None
    assert words.startswith("Step 2, ONNX to ONNX (onnx_to_onnx)")
    assert "this step is to blame" in words
    assert guilty(applied[:1], ["zip", "ONNX"]) is None
    summed = [applied[0], replace_alone(applied[1], applied[0])]
    assert "add up" in (guilty(summed, ["zip", "ONNX", "ONNX"]) or "")


def replace_alone(one: Applied, other: Applied) -> Applied:
    """Say that a step agrees with the one before it when compared alone."""
    return replace(one, alone=other.parity)


@pytest.fixture
def no_ort(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing runs an ORT file."""
    monkeypatch.setattr(OnnxRuntime, "formats", ("onnx", "onnx_external"))


def test_what_cannot_run_here_is_written_and_packed_with_checksums(
    few: Shelf[Converter], no_ort: None, tools: Tools, tmp_path: Path
) -> None:
    notes = Notes()
    data = SAMPLES / "fashion_cnn" / "test.npz"
    result = ask(portability, replace(tools, memory=notes), bring(tools, FASHION, data))
    one = attempt(result, "ort")
    assert one.standing is Standing.WRITTEN
    assert one.reason.startswith("Written, but it cannot run on this machine")
    conversion = notes.answers["ort"]
    assert conversion["parity"]["verdict"] == "NOT PROVEN"
    assert conversion["quality"] is None
    with zipfile.ZipFile(tools.blobs.path(conversion["bundle"]["sha256"])) as archive:
        archive.extractall(tmp_path / "bundle")
    folder = tmp_path / "bundle"
    assert not (folder / "use.py").exists()
    assert "compares checksums" in (folder / "README.txt").read_text()
    done = subprocess.run([sys.executable, "verify.py"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert "NOT PROVEN" in done.stdout
    (folder / "model.ort").write_bytes(b"another")
    assert subprocess.run([sys.executable, "verify.py"], cwd=folder, capture_output=True).returncode == 1


def test_command_line_ends_with_3_where_nothing_can_run_the_result(no_ort: None, tmp_path: Path) -> None:
    words = ["convert", str(FASHION), "--to", "ort", "-o", str(tmp_path / "m.ort"), "--json"]
    assert main(words) == 3
    assert (tmp_path / "m.ort").stat().st_size > 0


def test_command_line_lists_every_target(few: Shelf[Converter], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["matrix", str(FASHION)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["proven here", "proven here", "group missing", "no route"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Workspace]:
    """A workspace of this test's own."""
    opened = open_workspace(tmp_path / "home")
    yield opened
    opened.close()


def stored(home: Workspace) -> dict[str, Any]:
    """Bring the sample's ONNX file to the library, and return how a verb names it."""
    blob = home.store.blobs.put(FASHION)
    job = home.queue.submit(VISITOR, "ingest", {"sha256": blob.sha256, "size": blob.size, "name": "m.onnx"})
    made = home.queue.wait(VISITOR, job.id, 60).made
    assert made
    artifact = home.store.artifact(VISITOR, made)
    return {
        "artifact": artifact.id,
        "sha256": blob.sha256,
        "size": blob.size,
        "format": "onnx",
        "name": "m.onnx",
        "consent": False,
        "data": None,
        "options": {},
    }


def test_a_proven_target_answers_the_conversion_that_is_asked_for_later(few: Shelf[Converter], home: Workspace) -> None:
    args = stored(home)
    walk = home.queue.submit(VISITOR, "portability", args)
    walk = home.queue.wait(VISITOR, walk.id, 120)
    assert walk.state is State.DONE
    assert walk.result is not None
    assert walk.result.proven == 2
    for target in ("onnx", "ort"):
        job = home.queue.submit(VISITOR, "convert", {**args, "target": target, "options": {}})
        assert (job.state, job.attempt) == (State.DONE, 0)
        assert job.result is not None
        assert job.result.parity.verdict == "PASS"
        assert home.store.artifact(VISITOR, str(job.made)).format == target
    assert home.queue.submit(VISITOR, "portability", args).id == walk.id
    assert home.store.reports(VISITOR, args["artifact"], "portability")


def test_cancel_keeps_what_was_found_and_going_on_uses_it(
    few: Shelf[Converter], home: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on = threading.Event(), threading.Event()
    visit = portability.Search.visit

    def slowly(self: portability.Search, place: int) -> None:
        if place == 1:
            reached.set()
            go_on.wait(60)
        visit(self, place)

    monkeypatch.setattr(portability.Search, "visit", slowly)
    walk = home.queue.submit(VISITOR, "portability", stored(home))
    assert reached.wait(120)
    home.queue.cancel(VISITOR, walk.id)
    go_on.set()
    ended = home.queue.wait(VISITOR, walk.id, 60)
    assert ended.state is State.CANCELLED
    assert ended.result is not None
    assert standings(encode(ended.result))["onnx"] is Standing.PROVEN
    home.queue.retry(VISITOR, walk.id)
    done = home.queue.wait(VISITOR, walk.id, 120)
    assert done.state is State.DONE
    assert done.result is not None
    assert done.result.proven == 2
    assert not [event for event in home.queue.events(VISITOR, walk.id) if "ONNX (1 of 4): Comparing" in event.text][1:]
