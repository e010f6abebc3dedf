"""Weights that are named stay as they are, whatever the technique; a name that no weight has is refused."""

from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper

from core.domain.errors import Refused
from core.domain.transform import option_fields
from core.onnx import files, unfolding
from core.techniques import TECHNIQUES
from tests.techniques.samples import apply, sample

QUICK = {"codebooks_second_order": {"spread": "even"}, "low_rank": {"energy": 0.6}}
KEEPERS = (
    "float16", "static_int8", "weights_nearest", "weights_gptq", "codebooks", "codebooks_second_order",
    "prune_magnitude", "prune_second_order", "low_rank", "dynamic_int8",
)  # fmt: skip


@pytest.mark.parametrize("technique", KEEPERS)
def test_named_weights_stay(technique: str, tmp_path: Path) -> None:
    assert "keep" in {field.name for field in option_fields(TECHNIQUES[technique].Options)}
    model, name = sample("fashion_cnn"), "head.5.weight"
    few = {key: array[:64] for key, array in model.calibration.items()}
    out = apply(technique, model.source, tmp_path / "out.onnx", few, keep=name, **QUICK.get(technique, {}))
    after, before = files.load(out), files.load(model.source)
    unfolding.unfold(after)
    arrays = [{t.name: numpy_helper.to_array(t) for t in one.graph.initializer} for one in (before, after)]
    assert np.array_equal(arrays[0][name], arrays[1][name])
    with pytest.raises(Refused, match="called nothing"):
        apply(technique, model.source, tmp_path / "out.onnx", few, keep="nothing")


def test_shares_and_levels_of_single_tensors(tmp_path: Path) -> None:
    model = sample("fashion_cnn")
    few = {key: array[:64] for key, array in model.calibration.items()}
    out = apply("prune_second_order", model.source, tmp_path / "p.onnx", few, shares="head.1.weight=0.8")
    pruned = files.load(out)
    unfolding.unfold(pruned)
    arrays = {t.name: numpy_helper.to_array(t) for t in pruned.graph.initializer}
    assert np.mean(arrays["head.1.weight"] == 0) == pytest.approx(0.8, abs=0.02)
    assert np.mean(arrays["stages.8.weight"] == 0) < 0.01
    with pytest.raises(Refused, match="needs numbers below 1"):
        apply("prune_second_order", model.source, tmp_path / "q.onnx", few, shares="head.1.weight=1.5")
    with pytest.raises(Refused, match=r"a number of at least 2 for stages\.4\.weight"):
        apply("codebooks_second_order", model.source, tmp_path / "q.onnx", few, levels="head.1.weight=4")
