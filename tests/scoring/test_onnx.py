"""A form as ONNX answers as the form does, to the rounding of float64: fitted models, and forms drawn at random."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from core.domain.errors import Refused
from core.domain.runtime import Session
from core.onnx import files
from core.runtimes import runtime_for
from core.scoring import onnx_model, score
from core.scoring.form import Apply, Const, Field, Form, Input, Label, Numbers, Ref, Regression, check
from tests.scoring import drawn, forms
from tests.scoring.test_forms import differences

MODELS = forms.fitted()


def opened(form: Form, out: Path) -> Session:
    """Write a form as ONNX, check it, and load it."""
    files.write(onnx_model.write(form), out)
    return runtime_for("onnx").open(out, "onnx")


def asked(session: Session, form: Form, columns: dict[str, Any]) -> dict[str, Any]:
    """Return the answers to columns, given as one table or one by one."""
    if len(session.signature.inputs) < len(form.inputs):
        columns = {"X": np.stack([columns[one.name] for one in form.inputs], axis=1)}
    kinds = {spec.name: spec.dtype for spec in session.signature.inputs}
    return session.run({name: array.reshape(len(array), -1).astype(kinds[name]) for name, array in columns.items()})


def same(wanted: Any, got: Any) -> bool:
    """Say whether numbers are equal, to 1e-9 of their size, and missing or infinite at the same places."""
    with np.errstate(all="ignore"):
        near = np.abs(wanted - got) <= 1e-9 * np.maximum(1, np.abs(wanted))
    return bool(((np.isnan(wanted) & np.isnan(got)) | (wanted == got) | near).all())


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_fitted_model_answers_as_its_form_does(name: str, tmp_path: Path) -> None:
    form, (_, columns) = forms.form(MODELS[name]), forms.asked(MODELS[name], 200)
    got = asked(opened(form, tmp_path / "m.onnx"), form, columns)
    assert differences(score.score(form, columns), got) < 1e-12


@pytest.mark.parametrize("draw", [lambda seed: drawn.Drawing(seed).form(), drawn.forest], ids=["expressions", "trees"])
def test_what_is_drawn_at_random_answers_as_its_form_does(draw: Any, tmp_path: Path) -> None:
    for seed in range(40):
        form, columns = draw(seed), drawn.columns(seed, 60)
        got = asked(opened(form, tmp_path / "m.onnx"), form, columns)
        assert same(score.score(form, columns)["variable"], got["variable"]), (seed, form)


def test_the_file_is_read_by_runtimes_of_opset_21(tmp_path: Path) -> None:
    opened(forms.form(MODELS["tree"]), tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    assert {one.domain: one.version for one in model.opset_import} == {"": 21, "ai.onnx.ml": 5}
    assert model.ir_version == 10
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx.ml"}


def test_fields_of_one_shape_are_computed_side_by_side(tmp_path: Path) -> None:
    inputs = tuple(Input(f"x{place + 1}", "double") for place in range(300))
    scaled = [Field(f"s{n}", "double", Apply("/", (Apply("-", (Ref(one.name), Const(float(n)))), Const(n + 1.0)))) for n, one in enumerate(inputs)]  # fmt: skip
    form = check(Form(inputs, tuple(scaled), (Numbers("variable", tuple(one.name for one in scaled)),)))
    columns = {one.name: np.random.default_rng(0).normal(size=9) for one in inputs}
    got = asked(opened(form, tmp_path / "m.onnx"), form, columns)
    assert np.array_equal(got["variable"], score.score(form, columns)["variable"])
    assert len(onnx.load(tmp_path / "m.onnx").graph.node) < 6


def test_an_answer_that_is_called_as_an_input_keeps_its_place(tmp_path: Path) -> None:
    line = Regression(("a", "b"), ("label",), ((1.0,), (-1.0,)), (0.0, 0.0))
    answers = (Label("label", ("a", "b"), ("up", "down")), Numbers("scores", ("a", "b")))
    form = check(Form((Input("label", "double"),), (line,), answers))
    got = list(opened(form, tmp_path / "m.onnx").run({"label": np.array([[2.0], [-2.0]])}).values())
    assert got[0].tolist() == ["up", "down"]
    assert got[1].tolist() == [[2.0, -2.0], [-2.0, 2.0]]


@pytest.mark.parametrize(
    "expression",
    [Apply("lessThan", (Ref("s"), Const("m"))), Apply("equal", (Ref("s"), Ref("t"))), Apply("min", (Ref("s"), Const("b")))],
    ids=["order", "two columns", "smallest"],
)  # fmt: skip
def test_what_codes_cannot_stand_for_is_refused(expression: Apply) -> None:
    inputs = (Input("s", "string"), Input("t", "string"))
    form = check(Form(inputs, (Field("y", "double", expression),), (Numbers("variable", ("y",)),)))
    with pytest.raises(Refused) as caught:
        onnx_model.write(form)
    assert expression.function in caught.value.message
    assert caught.value.next_step
