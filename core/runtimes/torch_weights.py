"""PyTorch with a network that the owner names: the reference for checkpoints and safetensors, which hold weights alone."""

from pathlib import Path

import numpy as np

from core.domain.artifact import Signature
from core.domain.recipe import Option
from core.domain.runtime import Domain, Runtime, Session
from core.domain.transform import parse_options
from core.libraries import architectures
from core.libraries.architectures import ArchitectureOptions
from core.libraries.torch import torch_answers


class TorchWeights(Runtime):
    """Builds the network, fills in the weights and runs it in eager mode, on one thread."""

    title = "PyTorch with an architecture"
    sentence = "Runs checkpoints and safetensors files on the CPU once their architecture is named."
    formats = ("torch_checkpoint", "safetensors")
    packages = ("numpy", "safetensors", "torch")
    kind = "torch"

    def open(self, path: Path, format: str) -> Session:
        """Refuse: weights alone do not run. Raises Refused with how to name the architecture."""
        return self.open_with(path, format, {})

    def open_with(self, path: Path, format: str, given: dict[str, Option]) -> Session:
        """Build the network that ``given`` names (architecture, arguments, shapes). Raises Refused with what does not fit."""
        return WeightsSession(architectures.build(path, format, parse_options(ArchitectureOptions, given)))


class WeightsSession(Session):
    """A network in eager mode; whole numbers are ids of its smallest table."""

    def __init__(self, built: architectures.Built) -> None:
        import torch

        self._module = built.module
        self.signature = Signature(built.inputs, ())
        rows = [part.num_embeddings for part in built.module.modules() if isinstance(part, torch.nn.Embedding)]
        ids = Domain("ids", bound=min(rows, default=2))
        self.domains = {spec.name: Domain() if spec.dtype.startswith("float") else ids for spec in built.inputs}

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Call the network with its arguments in order."""
        import torch

        tensors = [torch.from_numpy(inputs[spec.name]).to(getattr(torch, spec.dtype)) for spec in self.signature.inputs]
        with torch.no_grad():
            return torch_answers.named(self._module(*tensors), [])


RUNTIME = TorchWeights()
