"""A small convolutional network that names the piece of clothing in a 28 x 28 grey picture."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sample_models import card, exports, score, sources
from sample_models.training import Training, fit

CLASSES = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
TRAINING = Training(seed=2017, epochs=8, batch=128, peak_rate=4e-3, weight_decay=1e-2, smoothing=0.05)
SHIPPED = 1000
WORDS = card.Words(
    title="Fashion pictures",
    task="image classification",
    sentence="A small convolutional network that names the piece of clothing in a 28 x 28 grey picture.",
    preprocessing="Grey values divided by 255, one channel, 28 x 28 pixels, white on black; float32.",
    dataset=card.Dataset(
        name="Fashion-MNIST",
        source="Debian package dataset-fashion-mnist 0.0~git20200523",
        licence="MIT",
        credit="Copyright 2017 Zalando SE. Xiao, Rasul, Vollgraf: Fashion-MNIST (2017).",
    ),
    classes=CLASSES,
)
FILES = {
    "model.pt2": "torch_export",
    "model.pt": "torch_checkpoint",
    "model.onnx": "onnx",
    "torchscript.pt": "torchscript",
}


class FashionCNN(nn.Module):
    """Three stages of convolution, batch normalisation and pooling, then two linear layers: 150,626 parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.Sequential(*_stage(1, 24), *_stage(24, 48), *_stage(48, 96))
        self.head = nn.Sequential(
            nn.Flatten(), nn.Linear(96 * 9, 112), nn.BatchNorm1d(112), nn.ReLU(), nn.Dropout(0.3), nn.Linear(112, 10)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map pictures [batch, 1, 28, 28] in 0..1 to logits [batch, 10]."""
        logits: Tensor = self.head(self.stages(x))
        return logits


def _stage(before: int, after: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]


def mirrored(batch: Tensor) -> Tensor:
    """Flip half of the pictures from left to right."""
    return torch.where(torch.rand(len(batch), 1, 1, 1) < 0.5, batch.flip(3), batch)


def build(data: Path, fashion: Path, folder: Path) -> dict[str, Any]:
    """Train, write every file of the sample into the folder, and return its card."""
    model = fit(FashionCNN, *sources.fashion(fashion, "train"), TRAINING, mirrored)
    images, classes = sources.fashion(fashion, "t10k")
    example = torch.from_numpy(images[:2])
    exports.save_program(model, example, folder / "model.pt2")
    exports.save_weights(model, folder / "model.pt")
    exports.save_onnx(model, example, folder / "model.onnx")
    exports.save_script(model, example, folder / "torchscript.pt")
    np.savez_compressed(folder / "test.npz", x=images[:SHIPPED], y=classes[:SHIPPED])
    return _card(folder, images, classes)


def weights_score(path: Path, inputs: np.ndarray) -> np.ndarray:
    """Return the classes that the network predicts with the weights of a checkpoint."""
    model = FashionCNN().eval()
    model.load_state_dict(torch.load(path, weights_only=True))
    with torch.no_grad():
        return np.asarray(model(torch.from_numpy(inputs)).argmax(1))


def _card(folder: Path, images: np.ndarray, classes: np.ndarray) -> dict[str, Any]:
    """Score each file on the shipped pictures, and the ONNX file on all test pictures."""
    ways = {**score.SCORES, "torch_checkpoint": weights_score}
    answers = {name: ways[format](folder / name, images[:SHIPPED]) for name, format in FILES.items()}
    everything = score.onnx(folder / "model.onnx", images)
    return card.compose(
        folder,
        WORDS,
        main="model.pt2",
        rows=card.files(folder, FILES, answers, classes[:SHIPPED]),
        data={
            "file": "test.npz",
            "label": "y",
            "rows": SHIPPED,
            "which": "the first 1,000 of the 10,000 test pictures",
        },
        accuracy=card.agreement(everything, classes, "all 10,000 test pictures; model.onnx in ONNX Runtime"),
        training={**TRAINING.to_json(), "rows": 60000, "augmentation": "mirror left and right"},
        packages=["torch", "onnx", "onnxscript", "onnxruntime", "numpy"],
    )
