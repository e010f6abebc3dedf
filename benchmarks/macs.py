"""MACs of four well-known networks, counted by our export's shapes and by a watched run, against figures worked out by hand.

The networks are written out here with random weights, exported by torch and converted by our converter; the batch is one.
``python -m benchmarks.macs [NAME ...]``, one JSON line a network; exit 1 where a count is not the one worked out.
"""

import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from core.converters import CONVERTERS
from core.proof import macs


class Residual(nn.Module):
    """Two convolutions beside a way that skips them, as in ResNet-18."""

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(into, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
            nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out),
        )  # fmt: skip
        self.skip = nn.Conv2d(into, out, 1, stride, bias=False) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map [batch, into, side, side] to [batch, out, side / stride, side / stride]."""
        return torch.relu(self.main(x) + self.skip(x))


def resnet18() -> nn.Module:
    """Return the network of He and others 2015 for 1,000 classes."""
    wide = ((64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1))  # fmt: skip
    first = (nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    return nn.Sequential(
        *first, *(Residual(*one) for one in wide), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 1000)
    )


class Squeeze(nn.Module):
    """Scale each channel by what two small layers make of the means."""

    def __init__(self, wide: int, narrow: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(wide, narrow, 1), nn.Conv2d(narrow, wide, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape."""
        mean = nn.functional.adaptive_avg_pool2d(x, 1)
        return x * nn.functional.hardsigmoid(self.up(torch.relu(self.down(mean))))


def _inverted(into: int, kernel: int, wide: int, out: int, stride: int, *, squeeze: bool) -> nn.Module:
    expand = [nn.Conv2d(into, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.Hardswish()] if wide != into else []
    narrow = [Squeeze(wide, -(-wide // 32) * 8 if wide % 32 else wide // 4)] if squeeze else []
    return nn.Sequential(
        *expand, nn.Conv2d(wide, wide, kernel, stride, kernel // 2, groups=wide, bias=False), nn.BatchNorm2d(wide),
        nn.Hardswish(), *narrow, nn.Conv2d(wide, out, 1, bias=False), nn.BatchNorm2d(out),
    )  # fmt: skip


def mobilenet() -> nn.Module:
    """Return MobileNetV3-small of Howard and others 2019 (table 2); additions that skip a block have no MACs and are left out."""
    rows = (
        (16, 3, 16, 16, 2, True), (16, 3, 72, 24, 2, False), (24, 3, 88, 24, 1, False), (24, 5, 96, 40, 2, True),
        (40, 5, 240, 40, 1, True), (40, 5, 240, 40, 1, True), (40, 5, 120, 48, 1, True), (48, 5, 144, 48, 1, True),
        (48, 5, 288, 96, 2, True), (96, 5, 576, 96, 1, True), (96, 5, 576, 96, 1, True),
    )  # fmt: skip
    blocks = [_inverted(*row[:5], squeeze=row[5]) for row in rows]
    first = (nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.Hardswish())
    last = (nn.Conv2d(96, 576, 1, bias=False), nn.BatchNorm2d(576), nn.Hardswish(), nn.AdaptiveAvgPool2d(1))
    head = (nn.Flatten(), nn.Linear(576, 1024), nn.Hardswish(), nn.Linear(1024, 1000))
    return nn.Sequential(*first, *blocks, *last, *head)


class Layer(nn.Module):
    """Attention of 12 heads and two wide products, each added to what came in, 768 numbers a token."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.LayerNorm(768), nn.LayerNorm(768)
        self.qkv, self.out = nn.Linear(768, 3 * 768), nn.Linear(768, 768)
        self.wide = nn.Sequential(nn.Linear(768, 3072), nn.GELU(), nn.Linear(3072, 768))

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape [batch, tokens, 768]."""
        q, k, v = (part.unflatten(2, (12, 64)).transpose(1, 2) for part in self.qkv(self.one(x)).chunk(3, 2))
        met = nn.functional.scaled_dot_product_attention(q, k, v)
        x = x + self.out(met.transpose(1, 2).flatten(2))
        answer: Tensor = x + self.wide(self.two(x))
        return answer


class Vision(nn.Module):
    """ViT-B/16 of Dosovitskiy and others 2020: 196 patches and one token, twelve layers, 1,000 classes."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.token = nn.Conv2d(3, 768, 16, 16), nn.Parameter(torch.randn(1, 1, 768))
        self.layers, self.head = nn.Sequential(*(Layer() for _ in range(12))), nn.Linear(768, 1000)

    def forward(self, x: Tensor) -> Tensor:
        """Map [1, 3, 224, 224] to [1, 1000]."""
        found = torch.cat([self.token, self.patches(x).flatten(2).transpose(1, 2)], 1)
        logits: Tensor = self.head(self.layers(found)[:, 0])
        return logits


class Bert(nn.Module):
    """BERT-base of Devlin and others 2018 with its pooler."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.layers = nn.Embedding(1000, 768), nn.Sequential(*(Layer() for _ in range(12)))
        self.pooler = nn.Linear(768, 768)

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids [1, 128] to [1, 768]."""
        return torch.tanh(self.pooler(self.layers(self.table(ids))[:, 0]))


@dataclass(frozen=True)
class Known:
    """A network, its input, and the 10^9 MACs that were worked out by hand."""

    make: Callable[[], nn.Module]
    input: Tensor
    gmacs: float


PICTURE = torch.zeros(1, 3, 224, 224)
NETWORKS = {
    "resnet18": Known(resnet18, PICTURE, 1.8141),
    "mobilenet_v3_small": Known(mobilenet, PICTURE, 0.0565),
    "vit_b_16": Known(Vision, PICTURE, 17.564),
    "bert_base": Known(Bert, torch.zeros(1, 128, dtype=torch.int64), 11.174),
}


def measured(name: str) -> dict[str, object]:
    """Count one network both ways."""
    known, converter = NETWORKS[name], CONVERTERS["torch_export_to_onnx"]
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        source, target = Path(folder) / "m.pt2", Path(folder) / "m.onnx"
        torch.export.save(torch.export.export(known.make().eval(), (known.input,)), source)
        converter.convert(source, target, converter.Options())
        begun = time.monotonic()
        inputs = {_first(target): np.asarray(known.input)}
        found = macs.counted(target, inputs, 1)
    static = None if found.static is None else found.static.macs
    right = [abs(count / 1e9 / known.gmacs - 1) < 1e-3 for count in (static or 0, found.ran.macs)]
    seconds = round(time.monotonic() - begun, 2)
    return {"network": name, "by_hand": known.gmacs * 1e9, "static": static, "ran": found.ran.macs, "seconds": seconds, "right": all(right)}  # fmt: skip


def _first(path: Path) -> str:
    import onnx

    return str(onnx.load(path, load_external_data=False).graph.input[0].name)


def main(names: list[str]) -> int:
    """Print a line a network; 1 where a count is wrong."""
    rows = [measured(name) for name in names or NETWORKS]
    for row in rows:
        print(json.dumps(row))
    return 0 if all(row["right"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
