"""One model in several runtimes: what the library has of it, what is converted on the way, and which way is called the best."""

import json
from pathlib import Path

import pytest

from core.calls import footprint
from core.domain.artifact import Artifact
from core.domain.codec import decode, encode
from core.domain.errors import Refused
from core.domain.overhead import Pace
from core.domain.recipe import Step
from core.domain.report import Verdict
from core.domain.side_by_side import SideBySide, SideBySideRequest
from core.domain.work import Subject
from core.doors import commands
from core.sandbox.tools import Tools
from core.verbs import lineage, side_by_side
from tests.proof.layered import chain
from tests.test_command_line import SAMPLES
from tests.test_versus import subject

pytestmark = pytest.mark.skipif("sys.platform != 'linux'", reason="the jail and the mark are Linux's")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "PROCESSES", 1)
    monkeypatch.setattr(side_by_side, "SECONDS", 0.5)


def artifact(id: str, parent: str | None, transform: str, sha256: str = "") -> Artifact:
    return Artifact(id, (sha256 or id) * 64, 1, "onnx", id, parent, Step(transform) if parent else None)


def test_the_same_model_is_found_along_conversions_and_not_beyond_a_technique() -> None:
    shelf = [
        artifact("a", None, ""),
        artifact("b", "a", "torch_export_to_onnx"),
        artifact("c", "b", "onnx_to_openvino"),
        artifact("d", "b", "codebooks"),
        artifact("e", "d", "onnx_to_openvino"),
        artifact("f", "b", "onnx_to_onnx", sha256="b"),
    ]
    found = {id: [one.id for one in lineage.conversions(shelf, id)] for id in "abcde"}
    assert found == {"a": ["b", "c"], "b": ["a", "c"], "c": ["b", "a"], "d": ["e"], "e": ["d"]}


def test_a_faster_file_that_answers_otherwise_is_never_the_best(tools: Tools, tmp_path: Path) -> None:
    twelve, one = (subject(tools, chain(n, 96, tmp_path / f"{n}.onnx")) for n in (12, 1))
    found = side_by_side.run(tools, SideBySideRequest(twelve, (one,), ("openvino",), batch=8))
    short, converted = found.ways
    assert short.race
    assert short.race.pace is Pace.FASTER
    assert short.parity
    assert short.parity.verdict is Verdict.FAIL
    assert converted.parity
    assert converted.parity.verdict is Verdict.PASS
    assert converted.model
    assert converted.memory
    assert (converted.runtime, converted.model.format) == ("OpenVINO", "openvino")
    assert found.best in (None, converted)
    assert decode(SideBySide, encode(found)) == found


def test_what_cannot_be_converted_and_run_is_refused_with_the_choice() -> None:
    request = SideBySideRequest(Subject("0" * 64, 1, "onnx", "m.onnx"), formats=("coreml",))
    with pytest.raises(Refused, match="cannot be converted here to coreml") as refused:
        side_by_side.normal(request)
    assert "openvino" in refused.value.next_step


def test_the_command_sets_the_files_of_a_model_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    sample = SAMPLES / "segment"
    words = ["profile", sample / "model.skops", "--runtimes", sample / "model.onnx", "--json"]
    assert commands.main([str(word) for word in words]) == 0
    value = json.loads(capsys.readouterr().out)
    (file,) = value["ways"]
    assert (file["runtime"], file["parity"]["verdict"], file["race"]["pace"]) == ("ONNX Runtime", "PASS", "faster")
    assert value["sentence"].startswith("ONNX Runtime gives the same answers")
    assert value["cpu"] > file["race"]["variant"]["cpu_p50"] > 0
