"""Calls: each has its two sides and its declaration, and an answer off the declaration does not come in."""

import importlib.util
import inspect
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core import calls
from core.calls import inspect as row
from core.calls.bench import Bench
from core.calls.call import Call, Here, Nothing
from core.calls.table import NAMES, call
from core.domain.codec import Json, Malformed, decode, encode
from core.domain.errors import Crashed
from core.domain.limits import READING
from core.domain.work import Golden, Recording
from core.sandbox import Sandbox
from core.sandbox.child import ROOT
from core.sandbox.tools import Tools

SHARED = {"__init__", "bench", "call", "opening", "table"}


def test_every_file_is_a_row_and_has_two_sides() -> None:
    files = {path.stem for path in Path(calls.__file__).parent.glob("*.py")} - SHARED
    assert set(NAMES) == files
    for name in NAMES:
        one = call(name)
        module = inspect.getmodule(one.work)
        assert one.name == name
        assert module
        assert hasattr(module, "ask") or name == "self_test"


def test_a_bare_child_loads_neither_arrays_nor_shelves() -> None:
    """The self-test at every start and the measurement of memory stand on such a child being small."""
    script = "import sys, core.doors.worker; print([n for n in ('numpy', 'onnx', 'core.formats', 'core.techniques') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_only_children_import_is_compiled_once(tmp_path: Path, sample_models: Path) -> None:
    compiled = Path(importlib.util.cache_from_source(str(ROOT / "core" / "techniques" / "distill.py")))
    compiled.unlink(missing_ok=True)
    model = sample_models / "segment" / "model.onnx"
    request: Json = encode(row.Request(("model",), model.name))
    with closing(Sandbox(tmp_path)) as box, box.run("inspect", request, {"model": model}, READING, kind="light"):
        assert compiled.exists()


HOSTILE: dict[str, Json] = {
    "cases": ["random"],
    "signature": {"inputs": [], "outputs": []},
    "versions": {},
    "labelled": False,
    "shapes": "",
}


@pytest.mark.parametrize("name", ["sha256", "recorded", "evidence", "verdict"])
def test_a_child_cannot_name_a_blob_beside_its_answer(name: str) -> None:
    """What recorded answers are called is the server's word; a child that says it too is not believed but refused."""
    assert decode(Recording, HOSTILE).cases == ("random",)
    with pytest.raises(Malformed, match=name):
        decode(Recording, {**HOSTILE, name: "f" * 64})


def test_recorded_answers_are_written_flat_and_come_back() -> None:
    golden = Golden("a" * 64, decode(Recording, HOSTILE), "b" * 64)
    written = encode(golden)
    assert (written["sha256"], written["recorded"], written["cases"]) == ("a" * 64, "b" * 64, ["random"])
    assert decode(Golden, written) == golden


def test_an_answer_off_its_declaration_is_a_crash_in_words(tools: Tools, sample_models: Path) -> None:
    honest = call("kernels")
    blob = tools.blobs.put(sample_models / "segment" / "model.onnx")
    expecting: Call[Any, Nothing] = Call("kernels", honest.request, Nothing, honest.work)
    with (
        pytest.raises(Crashed, match="no proper answer"),
        Bench(tools).call(expecting, honest.request("model.onnx"), {"model.onnx": blob.sha256}, "light"),
    ):
        pass


def test_a_request_off_its_declaration_does_not_begin() -> None:
    here = Here(True, lambda fraction, text: None)
    with pytest.raises(Malformed):
        call("kernels").serve({"file": "model.onnx", "isolation_full": True}, here)
