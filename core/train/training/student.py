"""An ONNX file as a network whose weights can be trained and go back into the file's own tensors."""

from collections import Counter
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from core.domain.errors import Refused
from core.onnx import calibration, files, integers
from core.onnx import weights as onnx_weights
from core.onnx.storage import Storage
from core.onnx.typing import ModelProto, Samples
from core.onnx.weights import Weight
from core.train import onnx_torch
from core.train.training.rules import Rule, rule

TRAINED = frozenset(
    (
        *("Conv", "ConvTranspose", "Gemm", "MatMul", "Gather", "Add", "Sub", "Mul", "PRelu", "LSTM", "GRU", "RNN"),
        *("BatchNormalization", "InstanceNormalization", "LayerNormalization", "GroupNormalization"),
        *("RMSNormalization", "SimplifiedLayerNormalization", "SkipLayerNormalization", "Transpose", "Reshape"),
    )
)
"""Operators whose constants are weights; those of others are settings: bounds, exponents, masks."""
LARGEST = 1e4
"""Magnitude above which a constant is no weight: a mask that shuts something out."""
LEAST = 64
"""Weights from which a tensor may be stored in a compact form."""
CHECKED = 32
"""Samples on which torch and ONNX Runtime are compared."""
APART = 1e-3
"""Of the largest answer: how far they may part."""


class Student:
    """A model with its weights as plain tensors, the torch network of it, and the rules by which its weights move.

    Those named in ``keep`` do not. Raises Refused where the file holds integers, where torch lacks an operator, and where no weight can be trained.
    """

    def __init__(self, source: Path, keep: str = "") -> None:
        self.model = files.load(source)
        _refuse_integers(self.model)
        self._storage = Storage(self.model)
        self.network = onnx_torch.build(self.model)
        self.weights = dict(self._trainable(onnx_weights.kept(keep, self.model)))
        if not self.weights:
            if trouble := onnx_weights.unreached(self.model, 2):
                raise Refused(trouble.message, trouble.next_step)
            raise Refused("The file contains no weights that can be trained.", "Choose another technique.")
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(name in self.weights)
        self.rules: dict[str, Rule] = {name: rule(self._parameter(name)) for name in self.weights}

    def run(self, feed: dict[str, Tensor]) -> list[Tensor]:
        """Answer one batch by input names. Raises Refused with the place of an operator that does not run."""
        said = self.network(*(feed[port.name] for port in self.network.graph.inputs))
        return list(said) if isinstance(said, tuple) else [said]

    def tensors(self, feed: Samples) -> dict[str, Tensor]:
        """Return arrays as the tensors that the inputs take. Raises Refused where one is missing."""
        ports = {port.name: port for port in self.network.graph.inputs}
        if missing := [name for name in ports if name not in feed]:
            raise Refused(f"The samples have no values for the input {', '.join(missing)}.", "Add one array per input.")
        return {name: torch.from_numpy(np.ascontiguousarray(feed[name])).to(port.dtype) for name, port in ports.items()}

    def weighed(self) -> dict[str, Tensor]:
        """Return copies of the trained weights."""
        return {name: self._parameter(name).detach().clone() for name in self.weights}

    @torch.no_grad()
    def put(self, weights: dict[str, Tensor]) -> None:
        """Set the trained weights."""
        for name, tensor in weights.items():
            self._parameter(name).copy_(tensor)

    def store(self) -> ModelProto:
        """Return the model with the weights as they are now, each in its smallest form that keeps every bit; the last thing to do."""
        for name, weight in self.weights.items():
            weight.put(self._parameter(name).detach().numpy())
        for weight in onnx_weights.weights(self.model, LEAST):
            self._storage.put(weight, weight.array)
        self._storage.settle()
        return self.model

    @torch.no_grad()
    def check(self, model: Path | bytes, samples: Samples, batch: int | None) -> None:
        """Raise Refused where the network answers otherwise than a file, or its bytes, in ONNX Runtime."""
        opened = calibration.session(model, "all")
        few = calibration.cut(samples, 0, batch or CHECKED)
        expected = calibration.run(opened, few)
        for said, wanted in zip(self.run(self.tensors(calibration.laid_out(opened, few))), expected, strict=True):
            if wanted.dtype.kind != "f" or not wanted.size:
                continue
            apart = float(np.abs(said.numpy() - wanted).max()) / max(float(np.abs(wanted).max()), 1e-6)
            if not apart <= APART:
                raise Refused(
                    f"torch answers differently from ONNX Runtime, by {apart:.2g} of the largest answer, so training would miss.",
                    "Export the model again with a newer opset, or choose a technique that does not train.",
                )

    def _parameter(self, name: str) -> nn.Parameter:
        found = self.network.get_parameter(name)
        assert isinstance(found, nn.Parameter)
        return found

    def _trainable(self, kept: set[str]) -> list[tuple[str, Weight]]:
        weights = onnx_weights.weights(self.model, 2)
        counts = Counter(weight.name for weight in weights)
        fit = {w.name: w for w in weights if counts[w.name] == 1 and w.graph is self.model.graph and _is_weight(w)}
        names = self.network.onnx_names
        return [
            (name, fit[names[name]]) for name, _ in self.network.named_parameters() if names[name] in fit.keys() - kept
        ]


def _is_weight(weight: Weight) -> bool:
    if not weight.readers or any(node.op_type not in TRAINED for node, _ in weight.readers):
        return False
    array = weight.array
    return bool(array.dtype == np.float32 and np.isfinite(array).all() and np.abs(array).max() < LARGEST)


def _refuse_integers(model: ModelProto) -> None:
    if trouble := integers.already(node.op_type for node in onnx_weights.nodes(model.graph)):
        raise Refused(trouble.message, "Train the file that this one was made from: fine-tune before quantizing.")
