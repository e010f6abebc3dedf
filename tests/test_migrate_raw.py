"""The task travels with a model: a package takes pictures as files, each step is held to what it made here, and a wrong one is named."""

import json
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from benchmarks import faults
from benchmarks.faults import NAMES, TASK, Exports
from core.answers import package
from core.answers.package import Members
from core.domain.migration import MigrateRequest, Migration
from core.domain.recipe import Step
from core.domain.report import Verdict
from core.domain.task import Task
from core.domain.work import Data
from core.memory.blobs import Blobs
from core.sandbox import Sandbox
from core.sandbox.tools import Tools
from core.verbs import migrate
from tests.test_migrate import FASHION, asked

RAW = "Raw samples, step by step"


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Tools:
    """Tools whose memory holds the export, so that it is made once."""
    return Tools(Blobs(tmp_path_factory.mktemp("blobs")), sandbox, lambda f, t: None, threading.Event(), Exports())


@pytest.fixture(scope="module")
def pictures(kit: Tools, tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Clothes as PNG files, in a folder for each class."""
    path = faults.pictures(tmp_path_factory.mktemp("pictures") / "clothes.zip")
    return Data(kit.blobs.put(path).sha256, path.name, classes=NAMES, task=TASK)


def request(kit: Tools, data: Data) -> MigrateRequest:
    """Ask for a move of the network for clothes."""
    return replace(asked(kit, FASHION, "onnx"), data=data)


@pytest.fixture(scope="module")
def moved(kit: Tools, pictures: Data) -> Migration:
    """The package with its task."""
    return migrate.run(kit, request(kit, pictures))


def test_a_declared_task_travels_and_is_served(moved: Migration) -> None:
    found = {gate.name: gate for gate in moved.gates}
    assert moved.verdict is Verdict.PASS, [gate for gate in moved.gates if gate.verdict is not Verdict.PASS]
    assert (found[RAW].samples, found["Served raw samples"].samples) == (4, 4)


def test_the_package_answers_a_file_elsewhere(kit: Tools, moved: Migration, pictures: Data, tmp_path: Path) -> None:
    assert moved.bundle
    with zipfile.ZipFile(kit.blobs.path(moved.bundle.sha256)) as archive:
        archive.extractall(tmp_path)
    with zipfile.ZipFile(kit.blobs.path(pictures.sha256)) as archive:
        member = archive.namelist()[0]
        (tmp_path / "one.png").write_bytes(archive.read(member))
    done = subprocess.run([sys.executable, "-m", "unittest"], cwd=tmp_path, capture_output=True, text=True)
    assert "Ran 10 tests" in done.stderr, done.stderr
    assert done.returncode == 0
    done = subprocess.run([sys.executable, "task.py", "one.png"], cwd=tmp_path, capture_output=True, text=True)
    answer = json.loads(done.stdout)
    assert answer["label"][0] == member.partition("/")[0]
    assert answer["score"] == sorted(answer["score"], reverse=True)
    assert "owner of the model declared" in (tmp_path / "task.py").read_text()


def test_a_guess_travels_as_a_guess(kit: Tools, pictures: Data) -> None:
    found = migrate.run(kit, request(kit, replace(pictures, task=None)))
    doubt = next(gate for gate in found.gates if gate.verdict is not Verdict.PASS)
    assert (doubt.verdict, doubt.name) == (Verdict.NOT_PROVEN, "How raw samples are prepared")
    assert found.bundle
    with zipfile.ZipFile(kit.blobs.path(found.bundle.sha256)) as archive:
        assert b"GUESS" in archive.read("task.py")
        assert b"are a guess" in archive.read("README.md")


def reader(path: Path) -> Path:
    """Write a network that gives a score to each of three classes at each column of a grey picture [n, 1, 4, 8]."""
    weight = np.random.default_rng(5).normal(0, 1, (4, 3)).astype(np.float32)
    graph = onnx.parser.parse_graph(
        """g (float[n, 1, 4, 8] x) => (float[n, 8, 3] scores) {
            flat = Squeeze(x, one)
            turned = Transpose<perm = [0, 2, 1]>(flat)
            scores = MatMul(turned, weight) }"""
    )
    graph.initializer.extend([numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(np.array([1]), "one")])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_without_data_a_text_is_read_by_what_travels_from_drawn_pictures(kit: Tools, tmp_path: Path) -> None:
    steps = (Step("picture", {"colours": "grey"}), Step("resize", {"height": 4, "width": 8}), Step("normalise", {"mean": "90", "std": "60"}), Step("layout"))  # fmt: skip
    task = Task(steps, decode=Step("ctc", {"alphabet": 'a"\nb'}))
    found = migrate.run(kit, replace(asked(kit, reader(tmp_path / "reader.onnx"), "onnx"), task=task))
    assert found.verdict is Verdict.PASS, [gate for gate in found.gates if gate.verdict is not Verdict.PASS]
    assert next(gate for gate in found.gates if gate.name == RAW).samples == 2
    assert found.bundle
    with zipfile.ZipFile(kit.blobs.path(found.bundle.sha256)) as archive:
        words = [one["words"][0] for one in json.loads(archive.read("samples.json"))]
        assert all(set(word) <= set('a"b') for word in words)
        assert any(words)
        assert "alphabet" in archive.read("signature.json").decode()


def changed(member: str, before: str, after: str):  # type: ignore[no-untyped-def]
    """Return what changes one file of a package."""

    def plant(members: Members) -> Members:
        text = str(members[member])
        assert before in text
        return {**members, member: text.replace(before, after)}

    return plant


FAULTS = {
    "wrong resize filter": (changed("task.py", "Resampling.BILINEAR", "Resampling.NEAREST"), RAW, "Step 2, Resize"),
    "classes swapped": (changed("signature.json", '"coat",\n      "sandal"', '"sandal",\n      "coat"'), RAW, "is read as"),
    "server takes half": (changed("server.py", "task.batches(raws)", "task.batches([raws[0][:-40]])"), "Served raw samples", "not answered"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_wrong_step_is_named(name: str, kit: Tools, pictures: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, gate, words = FAULTS[name]
    honest = package.members
    monkeypatch.setattr(package, "members", lambda *given: plant(honest(*given)))
    found = migrate.run(kit, request(kit, pictures))
    assert found.bundle is None
    first = next(one for one in found.gates if one.verdict is Verdict.FAIL)
    assert first.name == gate
    assert words in first.reason
