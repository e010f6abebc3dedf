"""The two networks of LeCun 1998 as Deep Compression takes them (Han 2016, arXiv 1510.00149, table 1), trained here and kept in the folder."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.compression.data import Data
from sample_models import exports
from sample_models.training import Training, fit


class Net(nn.Module):
    """Layers in a row, of an input ``x``."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Map digits to logits [batch, 10]."""
        logits: Tensor = self.layers(x)
        return logits


def lenet_300_100() -> nn.Module:
    """Return 784-300-100-10: 266,610 parameters."""
    return Net(
        nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)
    )  # fmt: skip


def lenet_5() -> nn.Module:
    """Return Caffe's LeNet-5: two convolutions and two linear layers, 431,080 parameters."""
    return Net(
        *(nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, 10)),
    )


NETS: dict[str, tuple[Callable[[], nn.Module], Training]] = {
    "lenet_300_100": (lenet_300_100, Training(1998, 25, 128, 2e-3, 1e-2, 0.0)),
    "lenet_5": (lenet_5, Training(1998, 7, 128, 2e-3, 1e-3, 0.0)),
}


def trained(name: str, data: Data, work: Path, mark: str = "") -> Path:
    """Return the ONNX file of a network trained on what is learned from; ``mark`` tells other data apart."""
    path = work / f"{name}{mark}.onnx"
    if not path.exists():
        build, training = NETS[name]
        torch.set_num_threads(1)
        net = fit(build, data.learning.x, data.learning.y, training)
        exports.save_onnx(net, torch.from_numpy(data.learning.x[:2]), path)
    return path
