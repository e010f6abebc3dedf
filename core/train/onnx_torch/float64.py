"""Runs an ONNX file of float32 in float64, beside which the loss of float32 shows."""

from pathlib import Path

import numpy as np
import torch

from core.domain.artifact import Signature
from core.domain.runtime import Session
from core.onnx import files, float64
from core.train.onnx_torch.network import build


class Float64Session(Session):
    """The graph with every float32 in it widened; inputs of float32 are widened too."""

    def __init__(self, path: Path) -> None:
        model = files.load(path)
        float64.widen(model)
        self._network = build(model)
        self._names = [output.name for output in model.graph.output]
        self.signature, self.domains = Signature(), {}

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the graph on NumPy arrays by name."""
        given = [inputs[port.name] for port in self._network.graph.inputs]
        with torch.no_grad():
            found = self._network(
                *(torch.from_numpy(a.astype(np.float64) if a.dtype == np.float32 else a) for a in given)
            )
        answers = found if isinstance(found, tuple) else (found,)
        return {name: answer.numpy() for name, answer in zip(self._names, answers, strict=True)}
