"""The trained samples with their test halves, and how techniques are applied and counted on them."""

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from core.domain.technique import HALVES, Lesson
from core.domain.transform import parse_options
from core.proof import quality
from core.proof.dataset import Dataset
from core.proof.datasets import read_dataset
from core.proof.predictions import prediction
from core.runtimes import RUNTIMES
from core.techniques import TECHNIQUES

FOLDER = Path(__file__).parent.parent.parent / "sample_models"


@dataclass(frozen=True)
class Sample:
    """One trained model; ``calibration`` and the rows that are counted are different halves of its test file."""

    source: Path
    calibration: dict[str, Any]
    test: Dataset

    def right(self, path: Path) -> int:
        """Return how many of the counted rows a file answers right."""
        count = quality.evaluate(RUNTIMES["onnxruntime"].open(path, "onnx"), self.test).correct
        assert count
        return count.k

    def flips(self, path: Path) -> int:
        """Return how many of the counted rows a file answers otherwise than the source."""
        return int((self.scores(path).argmax(1) != self.scores(self.source).argmax(1)).sum())

    def scores(self, path: Path) -> Any:
        """Return the answers to the counted rows."""
        session = RUNTIMES["onnxruntime"].open(path, "onnx")
        return np.concatenate(
            [next(iter(session.run(self.test.rows(at, at + 100)).values())) for at in range(0, self.test.n, 100)]
        )


@dataclass(frozen=True)
class Kept:
    """What a file answers of what a sample does, over ``n`` held-out samples; the ratio is infinite where all is equal."""

    n: int
    changed: int
    decibels: float


@dataclass(frozen=True)
class Halves:
    """A trained model with the halves of its test file as Compress takes them apart, by the hash of each sample."""

    source: Path
    calibration: Dataset
    test: Dataset

    def lesson(self, rows: int) -> Lesson:
        """Return what a technique may learn from, at most so many rows."""
        assert self.calibration.labels is not None
        return Lesson(self.source, self.calibration.samples(0, rows), self.calibration.labels[:rows])

    @functools.cached_property
    def answers(self) -> list[Any]:
        """What the model answers to the half that no technique sees."""
        return answers(self.source, self.test)

    def kept(self, path: Path) -> Kept:
        """Compare the answers of a file with those of the model on the half that no technique sees."""
        return compared(self.answers, answers(path, self.test))


def compared(before: list[Any], after: list[Any]) -> Kept:
    """Count the predictions that differ, and weigh the answers against their differences."""
    first, second = prediction(before), prediction(after, before)
    assert first is not None
    assert second is not None
    pairs = [(a.astype(np.float64), b) for a, b in zip(before, after, strict=True) if a.dtype.kind == "f"]
    signal, noise = (
        float(sum(np.square(one).sum() for one in part)) for part in ([a for a, _ in pairs], [a - b for a, b in pairs])
    )
    return Kept(
        len(first[0]), int((first[0] != second[0]).sum()), 10 * math.log10(signal / noise) if noise else math.inf
    )


def answers(path: Path, data: Dataset) -> list[Any]:
    """Return what a file answers to every row."""
    return quality.answers(RUNTIMES["onnxruntime"].open(path, "onnx"), data)


@functools.cache
def halves(name: str) -> Halves:
    """Return a shipped sample by its folder's name, with both halves of its test file."""
    source = FOLDER / name / "model.onnx"
    (table,) = FOLDER.joinpath(name).glob("test.*")
    data = read_dataset(table, None, RUNTIMES["onnxruntime"].open(source, "onnx").signature)
    return Halves(source, *(data.half(which) for which in HALVES))


def sample(name: str) -> Sample:
    """Return a shipped sample by its folder's name; a table of trees comes without rows."""
    if not (FOLDER / name / "test.npz").exists():
        return Sample(FOLDER / name / "model.onnx", {}, Dataset({}, None, 0))
    data = np.load(FOLDER / name / "test.npz")
    half = len(data["x"]) // 2
    test = Dataset({"x": data["x"][half:]}, data["y"][half:], len(data["x"]) - half)
    return Sample(FOLDER / name / "model.onnx", {"x": data["x"][:half][:256]}, test)


def apply(technique: str, source: Path, out: Path, samples: dict[str, Any] | None = None, **options: Any) -> Path:
    """Apply a technique of the shelf with options as a form gives them."""
    entry = TECHNIQUES[technique]
    entry.apply(source, out, parse_options(entry.Options, options), Lesson(source, samples or {}))
    return out


def in_constants(source: Path, out: Path) -> Path:
    """Write the same model with every weight in a Constant node instead of an initializer."""
    model = onnx.load(source)
    tensors = list(model.graph.initializer)
    nodes = [onnx.helper.make_node("Constant", [], [t.name], value=t) for t in tensors]
    rest = list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.node.extend([*nodes, *rest])
    onnx.save(model, out)
    return out


def tiny(out: Path) -> Path:
    """Write a model with one weight of four numbers."""
    text = """<ir_version: 8, opset_import: ["" : 17]>
    tiny (float[N, 2] x) => (float[N, 2] y) <float[2, 2] w = {1, 2, 3, 4}> { y = MatMul(x, w) }"""
    onnx.save(onnx.parser.parse_model(text), out)
    return out


def arrays(path: Path) -> dict[str, Any]:
    """Return the plain tensors of a file."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
