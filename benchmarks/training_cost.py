"""How near the reckoned memory of a training step comes to a real one: the tensors that autograd saves, counted in a real step.

Samples and small networks as exported programs, TorchScript, weights with an architecture and ONNX. Reckoned from three
batch sizes without a number being computed (TorchScript: from small real steps), and held against a real forward and
backward pass of another batch size. One JSON object on stdout. Run by ``python -m benchmarks.training_cost``.
"""

import json
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from core.domain.training_cost import Optimizer
from core.proof import training_cost
from core.proof.golden import Case, Golden
from core.proof.samples import Sampler
from core.proof.training_cost import Trainable, trainable
from core.runtimes import runtime_for

SAMPLES = Path(__file__).parents[1] / "sample_models"
BATCH = 24


class Residual(nn.Module):
    """Twelve blocks of convolution, normalisation and a way around."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16)) for _ in range(12)
        )
        self.head = nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, 3, 32, 32] to [batch, 10]."""
        x = self.stem(x)
        for block in self.blocks:
            x = torch.relu(x + block(x))
        answer: Tensor = self.head(x.mean((2, 3)))
        return answer


class Recurrent(nn.Module):
    """An LSTM over a table of words."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.cell, self.head = nn.Embedding(50, 32), nn.LSTM(32, 48, batch_first=True), nn.Linear(48, 3)

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids [batch, 20] to [batch, 3]."""
        answer: Tensor = self.head(self.cell(self.table(ids))[0][:, -1])
        return answer


NETWORKS: dict[str, tuple[type[nn.Module], Tensor]] = {
    "residual": (Residual, torch.zeros(2, 3, 32, 32)),
    "recurrent": (Recurrent, torch.zeros(2, 20, dtype=torch.int64)),
}


def models(folder: Path) -> Iterator[tuple[str, Callable[[], Path], str]]:
    """Yield name, what writes or finds the file, and its format."""
    for sample in ("fashion_cnn", "spam_transformer"):
        for format, file in (("torch_export", "model.pt2"), ("onnx", "model.onnx"), ("torchscript", "torchscript.pt")):
            path = SAMPLES / sample / file
            if path.exists():
                yield f"{sample}/{format}", partial(Path, path), format
    for name in NETWORKS:
        yield f"{name}/torch_export", partial(exported, name, folder / f"{name}.pt2"), "torch_export"


def exported(name: str, file: Path) -> Path:
    """Write a network as an exported program with a free batch."""
    network, example = NETWORKS[name]
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*were assigned during export")  # LSTM's own list of its weights
        program = torch.export.export(network().eval(), (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, file)
    return file


def recorded(path: Path, format: str) -> Golden:
    """Return one recorded case of random inputs, as the program records them."""
    session = runtime_for(format).open(path, format)
    inputs = Sampler(session, 0).random(BATCH, 0)
    arrays = {f"c0/in{n}": array for n, array in enumerate(inputs.values())}
    return Golden(0, tuple(inputs), (), (Case("random", "", BATCH),), arrays=arrays)


def stepped(model: Trainable, inputs: dict[str, np.ndarray]) -> int:
    """Take one real step forward and back, and return the bytes that were saved between, by the addresses of the numbers."""
    own = {one.untyped_storage().data_ptr() for one in (*model.module.parameters(), *model.module.buffers())}
    seen: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            seen[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    args, kwargs = model.arguments(inputs)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda one: one):
        answer = model.module(*args, **kwargs)
    first = answer if isinstance(answer, Tensor) else next(iter(answer))
    first.float().square().mean().backward()
    assert any(one.grad is not None for one in model.module.parameters())
    return sum(one.untyped_storage().nbytes() for one in seen.values())


def row(name: str, path: Path, format: str) -> dict[str, Any]:
    """Reckon one model, take a real step, and set both beside each other."""
    model, golden = trainable(path, format, {}), recorded(path, format)
    found = training_cost.training(model, golden)
    inputs, batch = golden.ordinary(BATCH)
    real, reckoned = stepped(model, inputs), found.step(batch, Optimizer.ADAM).saved
    return {
        "model": name,
        "batch": batch,
        "reckoned": reckoned,
        "real": real,
        "ratio": round(reckoned / real, 4),
        "linear": found.linear,
    }


def measure(only: str = "") -> dict[str, Any]:
    """Measure every model whose name holds a word."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(name, find(), format) for name, find, format in models(Path(folder)) if only in name]
    return {"within": sum(abs(one["ratio"] - 1) <= 0.01 for one in rows), "of": len(rows), "rows": rows}


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
