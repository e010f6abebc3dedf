"""One test for all formats: each takes its own sample and no other's, and keeps what its kind promises."""

import json
import sys
from pathlib import Path

import pytest

from core.border.archives import names
from core.domain.codec import decode, encode
from core.domain.format import Summary
from core.formats import FORMATS, HEAD_BYTES, recognise
from tests.formats.honest import HONEST
from tests.formats.verdict import refused

APART = {"__init__", "unsupported_kinds"}


def test_every_file_on_the_shelf_is_in_its_table() -> None:
    folder = Path(sys.modules["core.formats"].__file__ or "").parent
    assert {path.stem for path in folder.glob("*.py")} - APART == {format.id for format in FORMATS}


def test_every_format_has_an_honest_sample_and_words() -> None:
    assert {id for id, _ in HONEST.values()} == {format.id for format in FORMATS}
    assert all(format.title and format.sentence.endswith(".") and format.suffixes for format in FORMATS)
    json.dumps([format.to_json() for format in FORMATS])


@pytest.mark.parametrize("name", HONEST)
def test_a_sample_is_matched_by_its_own_format_alone(name: str, honest: dict[str, Path]) -> None:
    path = honest[name]
    head = path.read_bytes()[:HEAD_BYTES]
    assert [f.id for f in FORMATS if f.match(head, names(path), "file")] == [HONEST[name][0]]
    assert recognise(path, "wrong.suffix").id == HONEST[name][0]


@pytest.mark.parametrize("name", HONEST)
def test_a_sample_passes_its_audit_and_tells_about_itself(name: str, honest: dict[str, Path], tmp_path: Path) -> None:
    format = recognise(honest[name], name)
    assert not refused(honest[name])
    summary = format.inspect(honest[name])
    assert summary.format == format.id
    assert decode(Summary, json.loads(json.dumps(encode(summary)))) == summary
    if format.graph(honest[name], tmp_path / "graph.onnx"):
        assert 0 < (tmp_path / "graph.onnx").stat().st_size < 100_000


@pytest.mark.parametrize("name", HONEST)
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_cut_sample_is_refused_in_words(name: str, kept: float, honest: dict[str, Path], tmp_path: Path) -> None:
    data = honest[name].read_bytes()
    cut = tmp_path / name
    cut.write_bytes(data[: int(len(data) * kept)])
    if name.endswith(".ort") and kept:
        return  # ONNX Runtime itself checks the inside of its format, in the sandbox
    assert refused(cut)


def test_recognising_imports_nothing_heavy() -> None:
    import subprocess

    code = "import sys, core.formats; print([m for m in ('torch', 'onnx', 'onnxruntime', 'sklearn', 'numpy') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
