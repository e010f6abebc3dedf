"""ncnn, Core ML and ExecuTorch: what a file says, and what is refused in it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from core.formats import FORMATS
from core.formats.anatomy import ncnn_param
from tests.formats import made_phones
from tests.formats.verdict import refused


def test_ncnn_tells_inputs_and_layers(tmp_path: Path) -> None:
    made_phones.ncnn(tmp_path / "m.zip")
    summary = FORMATS["ncnn"].inspect(tmp_path / "m.zip")
    (spec,) = summary.signature.inputs
    assert (spec.name, spec.dtype, spec.shape) == ("in0", "float32", ("batch", 4))
    assert [spec.name for spec in summary.signature.outputs] == ["out0"]
    assert summary.operators == {"InnerProduct": 1}


def test_ncnn_follows_ids_to_their_table() -> None:
    rows = ncnn_param.parse(
        b"7767517\n4 5\nInput a 0 1 in0 0=12\nSplit s 1 2 in0 x y\n"
        b"Embed e 1 1 x out0 0=16 1=50 3=800\nEmbed f 1 1 y out1 0=16 1=40 3=640\n"
    )
    assert ncnn_param.id_bounds(rows) == {"in0": 40}
    assert ncnn_param.outputs(rows) == ["out0", "out1"]


def test_core_ml_tells_signature_and_weights(tmp_path: Path) -> None:
    made_phones.coreml(tmp_path / "m.zip")
    summary = FORMATS["coreml"].inspect(tmp_path / "m.zip")
    (spec,) = summary.signature.inputs
    assert (spec.name, spec.dtype, spec.shape) == ("x", "float32", ("batch", 4))
    assert (summary.parameters, summary.precision, summary.opset) == (12, "float32", 7)
    assert summary.operators == {"linear": 1}


def test_executorch_tells_its_bound(tmp_path: Path) -> None:
    made_phones.executorch(tmp_path / "m.pte")
    summary = FORMATS["executorch"].inspect(tmp_path / "m.pte")
    (spec,) = summary.signature.inputs
    assert (spec.name, spec.dtype, spec.shape) == ("input_0", "float32", ("batch", 4))
    assert summary.operators == {"aten::relu": 1}
    assert summary.notes["largest_batch"] == 8


PARAM = made_phones.NCNN_PARAM
BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "a layer of nobody": (partial(made_phones.ncnn, param=PARAM.replace("InnerProduct", "Custom9")), "Custom9 (line)"),
    "a wrong count": (partial(made_phones.ncnn, param=PARAM.replace("2 2", "3 2")), "announces 3 layers"),
    "a blob from nowhere": (partial(made_phones.ncnn, param=PARAM.replace("1 1 in0", "1 1 lost")), "'lost'"),
    "a long list": (partial(made_phones.ncnn, param=PARAM.replace("2=12", "-23303=99999,1")), "length"),
    "a command": (partial(made_phones.ncnn, param=PARAM.replace("1=0", "1=$(id)")), "not a number"),
    "a binary .param": (partial(made_phones.ncnn, param="\x00\xff\x12"), "not the text"),
    "two magic numbers": (partial(made_phones.ncnn, param=PARAM.replace("7767517", "7767518")), "7767518"),
    "weights elsewhere": (partial(made_phones.coreml, blob="/etc/passwd"), "/etc/passwd"),
    "weights outside": (partial(made_phones.coreml, place=64_000), "outside"),
    "weights at a wrong place": (partial(made_phones.coreml, place=128), "does not match the data in weight.bin"),
    "a custom layer": (partial(made_phones.coreml, operation="custom_layer"), "code outside the file"),
    "a stowaway": (partial(made_phones.coreml, extra="Data/run.sh"), "run.sh"),
    "a kernel of nobody": (partial(made_phones.executorch, kernel="evil::run"), "evil::run"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_of_the_format_is_refused_by_name(name: str, tmp_path: Path) -> None:
    write, words = BAD[name]
    write(tmp_path / "m")
    assert words in refused(tmp_path / "m")


def test_a_core_ml_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("m.mlpackage/Data/com.apple.CoreML/model.mlmodel", b"\x08\x05\xa2\x1f\x00")
    assert "not an ML program" in refused(tmp_path / "m.zip")
