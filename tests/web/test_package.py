"""A web package holds our page, a model and its answers, and the audit lets nothing else in."""

import base64
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from core.converters import CONVERTERS
from core.domain.errors import Refused
from core.domain.transform import RECORDED, parse_options
from core.formats import FORMATS, recognise
from core.proof import probes
from core.runtimes import runtime_for
from core.web import package, recorded
from tests.formats.honest import linear_onnx

FORMAT = FORMATS["web_package"]
CONVERTER = CONVERTERS["onnx_to_web_package"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of a small model with recorded answers."""
    folder = tmp_path_factory.mktemp("package")
    onnx.save(linear_onnx(), folder / "m.onnx")
    probes.record(runtime_for("onnx").open(folder / "m.onnx", "onnx"), 7, None, folder / "golden.npz")
    (folder / "golden.bin").rename(folder / RECORDED)
    CONVERTER.convert(
        folder / "m.onnx", folder / "out.zip", parse_options(CONVERTER.Options, {"title": "A </script> model"})
    )
    return folder / "out.zip"


def changed(made: Path, out: Path, **members: bytes | None) -> Path:
    """Copy a package with some members replaced, added or left out."""
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(out, "w") as target:
        content = {name: source.read(name) for name in source.namelist()}
        for name, data in (content | members).items():
            if data is not None:
                target.writestr(name, data)
    return out


def member(made: Path, name: str) -> bytes:
    """Return one member's bytes."""
    with zipfile.ZipFile(made) as archive:
        return archive.read(name)


def test_our_own_package_is_let_in(made: Path) -> None:
    assert recognise(made, "model.zip") is FORMAT
    assert FORMAT.audit(made) == ()
    summary = FORMAT.inspect(made)
    assert (summary.format, summary.parameters) == ("web_package", 12)
    assert made.stat().st_size < 4_500_000


def test_it_holds_the_model_twice_and_the_answers_of_the_source(made: Path) -> None:
    source = made.with_name("m.onnx").read_bytes()
    assert member(made, "model.onnx") == source
    spec = package.Spec.from_json(FORMAT_JSON(member(made, package.MANIFEST)))
    package.check_model_script(member(made, "model.js"), spec, source)
    answers = base64.b64decode(member(made, "recorded.js").split(b'"')[1])
    assert answers == made.with_name(RECORDED).read_bytes()
    assert spec.name == "A </script> model"


def FORMAT_JSON(data: bytes) -> object:  # noqa: N802
    """Read a manifest."""
    import json

    return json.loads(data)


def test_equal_facts_give_equal_bytes(made: Path, tmp_path: Path) -> None:
    options = parse_options(CONVERTER.Options, {"title": "A </script> model"})
    CONVERTER.convert(made.with_name("m.onnx"), tmp_path / "again.zip", options)
    assert (tmp_path / "again.zip").read_bytes() == made.read_bytes()


CHANGES: dict[str, Callable[[Path], dict[str, bytes | None]]] = {
    "another page": lambda p: {"index.html": member(p, "index.html").replace(b"Self-test", b"Self-Test")},
    "another script": lambda p: {"page.js": member(p, "page.js") + b"fetch('//elsewhere')"},
    "another runtime": lambda p: {"runtime.js": member(p, "runtime.js")[:-3] + b" ;\n"},
    "one more file": lambda p: {"more.js": b"1"},
    "one file less": lambda p: {"page.css": None},
    "code behind the model": lambda p: {"model.js": member(p, "model.js") + b"alert(1)"},
    "code before the model": lambda p: {"model.js": b"alert(1);" + member(p, "model.js")},
    "another model in the script": lambda p: {"model.onnx": onnx_bytes(np.ones((4, 3), np.float32))},
    "code in the answers": lambda p: {"recorded.js": b'self.PORTOLAN_RECORDED = "" + alert(1);\n'},
    "broken answers": lambda p: {"recorded.js": b'self.PORTOLAN_RECORDED = "AAAA";\n'},
    "another checksum": lambda p: {package.MANIFEST: member(p, package.MANIFEST).replace(b'"size": ', b'"size": 1')},
    "another signature": lambda p: {package.MANIFEST: member(p, package.MANIFEST).replace(b"float32", b"float64")},
    "another key": lambda p: {package.MANIFEST: member(p, package.MANIFEST).replace(b"{\n", b'{\n "more": 1,\n', 1)},
    "no manifest": lambda p: {package.MANIFEST: b"[]"},
}  # fmt: skip


def onnx_bytes(weight: np.ndarray) -> bytes:
    """Return the small model with another weight."""
    return bytes(linear_onnx(weight).SerializeToString())


@pytest.mark.parametrize("change", CHANGES)
def test_anything_else_is_refused(change: str, made: Path, tmp_path: Path) -> None:
    path = changed(made, tmp_path / "changed.zip", **CHANGES[change](made))
    risks = FORMAT.audit(path)
    assert [risk.level for risk in risks][-1] == "refuse", risks
    assert risks[-1].next_step


def test_a_model_of_zeros_is_let_in_again(tmp_path: Path) -> None:
    onnx.save(linear_onnx(np.zeros((4, 2_000_000), np.float32), nodes=[onnx.helper.make_node("MatMul", ["x", "w"], ["z"]), onnx.helper.make_node("Slice", ["z", "a", "b", "c"], ["y"])], initializers=[onnx.numpy_helper.from_array(np.zeros((4, 2_000_000), np.float32), "w"), *(onnx.numpy_helper.from_array(np.array([n]), name) for name, n in (("a", 0), ("b", 3), ("c", 1)))]), tmp_path / "m.onnx")  # fmt: skip
    CONVERTER.convert(tmp_path / "m.onnx", tmp_path / "out.zip", parse_options(CONVERTER.Options, {}))
    assert not [risk for risk in FORMAT.audit(tmp_path / "out.zip") if risk.level == "refuse"]


def test_without_recorded_answers_the_package_says_so(tmp_path: Path) -> None:
    onnx.save(linear_onnx(), tmp_path / "m.onnx")
    CONVERTER.convert(tmp_path / "m.onnx", tmp_path / "out.zip", parse_options(CONVERTER.Options, {}))
    assert member(tmp_path / "out.zip", "recorded.js") == b'self.PORTOLAN_RECORDED = "";\n'
    assert FORMAT.audit(tmp_path / "out.zip") == ()


def test_long_recordings_are_cut(made: Path) -> None:
    cases = [recorded.Replayed(f"c{n}", "", 1, [np.zeros(500_000)], [np.zeros(1)]) for n in range(4)]
    script = package.recorded_script(recorded.pack(("x",), ("y",), cases))
    assert len(script) < 2 * package.MAX_RECORDED_BYTES
    package.check_recorded_script(script)


def test_a_model_that_a_page_cannot_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx.save(linear_onnx(), tmp_path / "m.onnx")
    monkeypatch.setattr(package, "MAX_MODEL_BYTES", 100)
    with pytest.raises(Refused, match="limit for a web package"):
        CONVERTER.convert(tmp_path / "m.onnx", tmp_path / "out.zip", parse_options(CONVERTER.Options, {}))


def test_a_model_without_tensors_is_refused_by_name(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 3]>
        g (float[N, 2] x) => (seq(map(int64, float)) chances) { chances = ai.onnx.ml.ZipMap<classlabels_int64s = [0, 1]>(x) }"""
    onnx.save(onnx.parser.parse_model(text), tmp_path / "m.onnx")
    with pytest.raises(Refused, match="chances"):
        CONVERTER.convert(tmp_path / "m.onnx", tmp_path / "out.zip", parse_options(CONVERTER.Options, {}))
