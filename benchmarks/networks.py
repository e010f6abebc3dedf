"""The three networks on which every pair is measured: a CNN, a transformer encoder and an LSTM, seeded, with a free batch."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn


class Pictures(nn.Module):
    """A CNN: convolution, normalisation, pooling, a grouped convolution, SiLU."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16)
        self.second, self.head = nn.Conv2d(16, 32, 3, padding=1, groups=4), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, 3, 32, 32] to [batch, 10]."""
        x = nn.functional.max_pool2d(torch.relu(self.norm(self.first(x))), 2)
        logits: Tensor = self.head(nn.functional.silu(self.second(x)).mean((2, 3)))
        return logits


class Words(nn.Module):
    """A transformer encoder: embedding, two layers with GELU, the mean over the words."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, activation="gelu", batch_first=True)
        self.table, self.head = nn.Embedding(100, 32), nn.Linear(32, 4)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids below 100 [batch, 16] to [batch, 4]."""
        logits: Tensor = self.head(self.layers(self.table(ids)).mean(1))
        return logits


class Series(nn.Module):
    """A recurrent network: two LSTM layers and the last of their answers."""

    def __init__(self) -> None:
        super().__init__()
        self.steps, self.head = nn.LSTM(6, 24, 2, batch_first=True), nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, 12, 6] to [batch, 3]."""
        logits: Tensor = self.head(self.steps(x)[0][:, -1])
        return logits


NETWORKS = {
    "CNN": (Pictures, "x", torch.zeros(2, 3, 32, 32)),
    "transformer": (Words, "ids", torch.zeros(2, 16, dtype=torch.int64)),
    "LSTM": (Series, "x", torch.zeros(2, 12, 6)),
}
SHAPES = {"CNN": "3x32x32", "transformer": "int64:16", "LSTM": "12x6"}
"""What TorchScript does not keep."""


def write(folder: Path) -> Iterator[tuple[str, Path]]:
    """Write each network as an exported program and as TorchScript, and yield its name with each file."""
    torch.backends.mha.set_fastpath_enabled(False)
    for name, (module, argument, example) in NETWORKS.items():
        torch.manual_seed(0)
        network = module().eval()
        free = {argument: {0: torch.export.Dim("batch")}}
        torch.export.save(torch.export.export(network, (example,), dynamic_shapes=free), folder / f"{name}.pt2")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.trace(network, example, check_trace=False).save(str(folder / f"{name}.pt"))  # type: ignore[no-untyped-call]
        yield name, folder / f"{name}.pt2"
        yield name, folder / f"{name}.pt"


def write_weights(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Write the weights of each network alone, as a checkpoint and as safetensors, and yield its name, its class, and each file."""
    for name, (module, _, _) in NETWORKS.items():
        torch.manual_seed(0)
        state = module().eval().state_dict()
        torch.save(state, folder / f"{name} weights.pth")
        save_file(state, folder / f"{name} weights.safetensors")
        for suffix in (".pth", ".safetensors"):
            yield name, module.__name__, folder / f"{name} weights{suffix}"
