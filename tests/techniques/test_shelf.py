"""Every technique on every kind of file that people bring: it keeps its claim and answers alike, or refuses in sentences."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from core.domain.errors import Refused
from core.domain.technique import ANY, Claim, Lesson, Technique
from core.domain.transform import option_fields, parse_options
from core.formats.onnx import FORMAT
from core.techniques import TECHNIQUES
from tests.techniques.samples import Halves, compared, halves
from tests.techniques.samples import answers as held_out_answers
from tests.techniques.strangers import STRANGERS

BRIEF = {"minutes": 0.3, "epochs": 4}
"""What techniques that train are given, so that all of them together take seconds."""
FEW = 64
"""Rows that techniques learn from where their promise is measured."""
TAUGHT = {Claim.QUALITY}
"""Claims that only a step before can make room for; their own tests hold those techniques to it."""


@pytest.fixture(autouse=True)
def _one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def promised(technique: Technique) -> Any:
    """Return a technique as a parameter; trainings are slow."""
    return pytest.param(technique, id=technique.id, marks=[pytest.mark.slow] if technique.kind == "torch" else [])


@pytest.mark.parametrize("name", STRANGERS)
@pytest.mark.parametrize("technique", list(TECHNIQUES), ids=lambda one: one.id)
def test_a_stranger_is_compressed_or_refused_in_sentences(technique: Technique, name: str, tmp_path: Path) -> None:
    source, out = tmp_path / "source.onnx", tmp_path / "out.onnx"
    samples = STRANGERS[name](source)
    if not tried(technique, source, out, samples):
        return
    assert not [risk for risk in FORMAT.audit(out) if risk.level == "refuse"]
    if technique.claim not in TAUGHT:
        assert claimed_bytes(technique, out) < claimed_bytes(technique, source)
    assert signature(out) == signature(source)
    for one, other in zip(answers(source, samples), answers(out, samples), strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert_alike(technique, one, other)


@pytest.mark.parametrize("technique", [one for one in TECHNIQUES if one.claim not in TAUGHT], ids=lambda one: one.id)
def test_some_stranger_is_compressed(technique: Technique, tmp_path: Path) -> None:
    done = (
        tried(technique, tmp_path / "source.onnx", tmp_path / "out.onnx", build(tmp_path / "source.onnx"))
        for build in STRANGERS.values()
    )
    assert any(done)


@pytest.mark.parametrize("technique", [promised(one) for one in TECHNIQUES])
def test_a_technique_keeps_what_it_declares(technique: Technique, tmp_path: Path) -> None:
    model, source, out = halves(technique.keeps.sample), tmp_path / "source.onnx", tmp_path / "out.onnx"
    source.write_bytes(model.source.read_bytes())
    if technique.keeps.after:
        at_defaults(TECHNIQUES[technique.keeps.after], model.source, source, model)
    at_defaults(technique, source, out, model)
    assert claimed_bytes(technique, out) < claimed_bytes(technique, source) or technique.claim in TAUGHT
    kept = model.kept(out)
    assert kept.changed <= technique.keeps.changed * kept.n
    assert technique.keeps.decibels is None or kept.decibels >= technique.keeps.decibels
    if technique.tolerance is not ANY:
        for one, other in zip(model.answers, held_out_answers(out, model.test), strict=True):
            assert_alike(technique, one, other)


@pytest.mark.parametrize("technique", list(TECHNIQUES), ids=lambda one: one.id)
def test_what_a_technique_declares_is_more_than_a_damaged_file_keeps(technique: Technique, tmp_path: Path) -> None:
    """The measure must tell a file apart whose answers are moved to other samples, and one whose answers are twice as large."""
    wanted = halves(technique.keeps.sample).answers
    moved = compared(wanted, [np.roll(one, 1, axis=0) for one in wanted])
    assert moved.changed > technique.keeps.changed * moved.n
    if technique.keeps.decibels is not None:
        twice = compared(wanted, [one * 2 if one.dtype.kind == "f" else one for one in wanted])
        assert max(moved.decibels, twice.decibels) < technique.keeps.decibels


@pytest.mark.parametrize("name", STRANGERS)
def test_strangers_run(name: str, tmp_path: Path) -> None:
    samples = STRANGERS[name](tmp_path / "source.onnx")
    assert not [risk for risk in FORMAT.audit(tmp_path / "source.onnx") if risk.level == "refuse"]
    assert answers(tmp_path / "source.onnx", samples)


def at_defaults(technique: Technique, source: Path, out: Path, model: Halves) -> None:
    """Apply a technique as the page does where nobody chose an option, on a few rows of the half that it may learn from."""
    technique.apply(source, out, parse_options(technique.Options, {}), model.lesson(min(FEW, technique.rows)))


def tried(technique: Technique, source: Path, out: Path, samples: dict[str, Any]) -> bool:
    """Say whether a technique wrote a file; where it did not, it said why and what to do instead, and left nothing behind it."""
    trouble = technique.applies(FORMAT.inspect(source))
    if trouble is None:
        declared = {one.name for one in option_fields(technique.Options)}
        options = parse_options(technique.Options, {k: v for k, v in BRIEF.items() if k in declared})
        try:
            technique.apply(source, out, options, Lesson(source, samples if technique.calibrates else {}))
            return True
        except Refused as error:
            trouble = error.trouble
    assert len(trouble.message.split()) > 4
    assert trouble.next_step.endswith(".")
    assert "Traceback" not in trouble.message
    return False


def claimed_bytes(technique: Technique, path: Path) -> int:
    """Return the bytes that a technique says it makes fewer: those of the file compressed where it claims a smaller download, else the file's own."""
    return len(zlib.compress(path.read_bytes())) if technique.claim is Claim.TRAVEL else path.stat().st_size


def signature(path: Path) -> list[tuple[str, int]]:
    """Return the names and types of a model's inputs that are no weights, and of its outputs."""
    graph = onnx.load(path).graph
    held = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in held]
    return [(value.name, value.type.tensor_type.elem_type) for value in (*inputs, *graph.output)]


def answers(path: Path, samples: dict[str, Any]) -> list[Any]:
    """Return what a file answers to samples, one after the other where its batch is one."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    first = session.get_inputs()[0].shape
    many = 1 if first and first[0] == 1 else len(next(iter(samples.values())))
    single = {"rate"} & set(samples)
    feed = {name: np.asarray(array[0]) if name in single else array[:many] for name, array in samples.items()}
    return [np.asarray(one) for one in session.run(None, feed)]


def assert_alike(technique: Technique, one: Any, other: Any) -> None:
    """Compare answers within the tolerance that a technique declares; one that declares none may not make numbers of what is none, or none of numbers."""
    if technique.tolerance is ANY or one.dtype.kind != "f":
        assert np.array_equal(np.isfinite(one.astype(np.float64)), np.isfinite(other.astype(np.float64)))
        return
    bounds = technique.tolerance
    assert np.allclose(one, other, rtol=bounds.relative, atol=bounds.absolute, equal_nan=True)


@pytest.mark.parametrize(
    ("technique", "smaller"), [("weights_nearest", 2.2), ("codebooks", 2.5), ("prune_magnitude", 1.8)]
)
def test_parts_of_one_tensor_are_not_stored_apart(technique: str, smaller: float, tmp_path: Path) -> None:
    source, out = tmp_path / "source.onnx", tmp_path / "out.onnx"
    assert tried(TECHNIQUES[technique], source, out, STRANGERS["sliced"](source))
    assert source.stat().st_size > smaller * out.stat().st_size
