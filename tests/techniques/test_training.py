"""Fine-tuning and pruning by training on the trained samples: what they give back, what stays as small, what they refuse."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.domain.errors import Refused
from core.domain.technique import Claim, Lesson
from core.domain.transform import parse_options
from core.formats.onnx import FORMAT
from core.onnx import unfolding
from core.techniques import TECHNIQUES
from tests.techniques.samples import FOLDER, apply, sample, tiny

TRAINED = ("fine_tune", "prune_trained")

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("technique", "options", "gained"),
    [("prune_magnitude", {"share": 0.85}, 20), ("codebooks", {"bits": 2}, 20)],
)
def test_fine_tuning_gives_quality_back_in_a_file_as_small(
    technique: str, options: dict[str, Any], gained: int, tmp_path: Path
) -> None:
    model = sample("fashion_cnn")
    small = apply(technique, model.source, tmp_path / "small.onnx", **options)
    out = _taught(model.source, small, tmp_path / "out.onnx", model.calibration, epochs=8)
    assert TECHNIQUES["fine_tune"].claim is Claim.QUALITY
    assert model.right(out) >= model.right(small) + gained
    assert out.stat().st_size <= small.stat().st_size * 1.001
    assert _values(out) == _values(small)
    assert not [risk for risk in FORMAT.audit(out) if risk.level == "refuse"]


@pytest.mark.slow
def test_pruning_while_training_beats_pruning_alone(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    alone = apply("prune_magnitude", model.source, tmp_path / "alone.onnx", share=0.9)
    out = apply("prune_trained", model.source, tmp_path / "out.onnx", model.calibration, share=0.9, epochs=12)
    assert model.source.stat().st_size > 6 * out.stat().st_size
    assert model.right(out) >= model.right(alone) + 50
    assert _zeros(out) == pytest.approx(0.9, abs=0.01)


@pytest.mark.slow
def test_a_student_is_narrower_and_answers_like_its_teacher(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    few = {"x": model.calibration["x"][:48]}
    out = apply("distill", model.source, tmp_path / "out.onnx", few, share=0.5, epochs=2)
    full, narrow = (_plain(path) for path in (model.source, out))
    assert sum(array.size for array in narrow.values()) < 0.5 * sum(array.size for array in full.values())
    assert model.source.stat().st_size > 2 * out.stat().st_size
    assert model.right(out) >= model.right(model.source) - 40


def test_a_transformer_learns_from_token_ids(tmp_path: Path) -> None:
    model = sample("spam_transformer")
    few = {"x": model.calibration["x"][:96]}
    small = apply("codebooks", model.source, tmp_path / "small.onnx", bits=2)
    out = _taught(model.source, small, tmp_path / "out.onnx", few, epochs=3)
    assert out.stat().st_size <= small.stat().st_size * 1.001
    assert _apart(model, out) < _apart(model, small)


@pytest.mark.parametrize("technique", TRAINED)
def test_integers_trees_and_lack_of_samples_are_refused(technique: str, tmp_path: Path) -> None:
    model, entry = sample("fashion_cnn"), TECHNIQUES[technique]
    integers = apply("static_int8", model.source, tmp_path / "int8.onnx", model.calibration)
    trouble = entry.applies(FORMAT.inspect(integers))
    assert trouble is not None
    assert "before the step that quantizes" in trouble.next_step
    with pytest.raises(Refused, match="already quantized"):
        apply(technique, integers, tmp_path / "out.onnx", model.calibration)
    with pytest.raises(Refused, match="there are none"):
        apply(technique, model.source, tmp_path / "out.onnx")
    assert entry.applies(FORMAT.inspect(FOLDER / "segment" / "model.onnx")) is not None
    with pytest.raises(Refused, match=r"no torch equivalent|no weights that can be trained"):
        apply(
            technique, FOLDER / "segment" / "model.onnx", tmp_path / "out.onnx", {"x": np.zeros((40, 18), np.float32)}
        )
    assert not (tmp_path / "out.onnx").exists()


def test_weights_of_scaled_integers_would_grow(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    small = apply("weights_nearest", model.source, tmp_path / "small.onnx", bits=3)
    with pytest.raises(Refused, match="would grow"):
        _taught(model.source, small, tmp_path / "out.onnx", model.calibration, epochs=1)


def test_a_model_without_tables_is_not_pruned(tmp_path: Path) -> None:
    samples = {"x": np.random.default_rng(1).normal(size=(64, 2)).astype(np.float32)}
    with pytest.raises(Refused, match="nothing to prune"):
        apply("prune_trained", tiny(tmp_path / "tiny.onnx"), tmp_path / "out.onnx", samples)


def _taught(teacher: Path, source: Path, out: Path, samples: dict[str, Any], **options: Any) -> Path:
    entry = TECHNIQUES["fine_tune"]
    entry.apply(source, out, parse_options(entry.Options, options), Lesson(teacher, samples))
    return out


def _plain(path: Path) -> dict[str, Any]:
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    unfolding.unfold(model)
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer if len(t.dims) > 1}


def _values(path: Path) -> dict[str, int]:
    """Return how many weights of each table are not zero, or of how many values a table of few is."""
    tables = _plain(path)
    few = {name: len(np.unique(array)) for name, array in tables.items()}
    return {n: few[n] if few[n] <= 64 else int(np.count_nonzero(array)) for n, array in tables.items()}


def _zeros(path: Path) -> float:
    tables = [array for array in _plain(path).values() if array.size >= 256]
    return sum(int((array == 0).sum()) for array in tables) / sum(array.size for array in tables)


def _apart(model: Any, path: Path) -> float:
    return float(np.mean((model.scores(path) - model.scores(model.source)) ** 2))


def test_too_few_samples_are_told_before_anything_is_cut(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"a file that nobody may open before the samples are counted")
    few = {"x": np.zeros((31, 1, 28, 28), np.float32)}
    entry = TECHNIQUES["distill"]
    with pytest.raises(Refused, match="Training needs 32 samples, but there are only 31"):
        entry.apply(
            tmp_path / "no.onnx",
            tmp_path / "out.onnx",
            parse_options(entry.Options, {}),
            Lesson(tmp_path / "no.onnx", few),
        )
