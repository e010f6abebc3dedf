"""What the exporter for scripts writes with other answers is written as torch answers."""

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from core.runtimes import runtime_for
from tests.converters.small import Way


def test_the_logarithm_of_a_sigmoid_stays_finite(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(nn.Sequential(nn.Linear(3, 3), nn.LogSigmoid()), torch.zeros(2, 3)).save(str(tmp_path / "m.pt"))
    Way(tmp_path / "m.pt", "torchscript_to_onnx", {}).convert(tmp_path)
    x = np.array([[-1000, 0, 1000], [-20, 0, 20], [300, -300, 5]], np.float32)
    sessions = [
        runtime_for(k).open(p, k) for k, p in (("torchscript", tmp_path / "m.pt"), ("onnx", tmp_path / "out.onnx"))
    ]
    one, other = (next(iter(s.run({s.signature.inputs[0].name: x}).values())) for s in sessions)
    assert np.isfinite(other).all()
    assert np.allclose(one, other, atol=1e-5)
