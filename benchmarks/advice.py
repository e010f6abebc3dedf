"""Whether the advice of Profile comes true: each is applied as Compress applies it, and the result raced in pairs against its source.

The models are the samples, networks of ``benchmarks.macs`` and ``benchmarks.networks`` with random weights, a wide
perceptron, a long one, and two forests that scikit-learn fits; further ONNX files may be named. An advice that names a
technique is true where the race says "faster", and false where it says anything else, or where the technique refuses the
model. One that names larger calls is true where the time a sample with eight lies below that with one, beyond both 95 % intervals.
One that names neither promises nothing and is counted apart. One JSON line a model, then k of n.
Run by ``python -m benchmarks.advice [NAME or FILE ...]``; all take about ten minutes.
"""

import json
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks import macs, networks
from core.calls import operators, probe, timing
from core.calls.bench import Bench
from core.converters import CONVERTERS
from core.domain.advice import advise
from core.domain.compression import CompressRequest
from core.domain.errors import PortolanError
from core.domain.overhead import Pace
from core.domain.recipe import Step
from core.domain.work import Data, Golden, Model, Subject
from core.memory.blobs import Blobs
from core.sandbox import Sandbox
from core.sandbox.tools import Tools
from core.verbs import compress

SAMPLES = Path(__file__).parents[1] / "sample_models"
ROWS, BATCH = 256, 8


def perceptron(*widths: int) -> nn.Module:
    """Return layers of these widths with ReLU between them."""
    pairs = pairwise(widths)
    return nn.Sequential(*(part for into, out in pairs for part in (nn.Linear(into, out), nn.ReLU())))


def forest(trees: int, folder: Path) -> tuple[Path, np.ndarray]:
    """Fit a forest on two noisy classes, and return it as ONNX with rows that it has not seen."""
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier
    from skops.io import dump

    x, y = make_classification(2000, 20, n_informative=6, random_state=0)
    fitted = RandomForestClassifier(trees, random_state=0).fit(x[ROWS:], y[ROWS:])
    dump(fitted, folder / "m.skops")
    converter = CONVERTERS["skops_to_onnx"]
    converter.convert(folder / "m.skops", folder / "m.onnx", converter.Options())
    return folder / "m.onnx", x[:ROWS].astype(np.float32)


def exported(module: nn.Module, shape: tuple[int, ...], folder: Path, ids: int = 0) -> tuple[Path, np.ndarray]:
    """Export a network that takes [batch, *shape], of whole numbers below ``ids`` where given, with random rows for it."""
    rng = np.random.default_rng(0)
    rows = min(ROWS, 2_000_000 // int(np.prod(shape)))
    given = rng.integers(0, ids, (rows, *shape)) if ids else rng.standard_normal((rows, *shape)).astype(np.float32)
    example, converter = torch.from_numpy(given[:2]), CONVERTERS["torch_export_to_onnx"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module.eval(), (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        torch.export.save(program, folder / "m.pt2")
        converter.convert(folder / "m.pt2", folder / "m.onnx", converter.Options())
    return folder / "m.onnx", given


MODELS: dict[str, Callable[[Path], tuple[Path, np.ndarray]]] = {
    "resnet18": lambda folder: exported(macs.resnet18(), (3, 224, 224), folder),
    "mobilenet_v3_small": lambda folder: exported(macs.mobilenet(), (3, 224, 224), folder),
    "CNN": lambda folder: exported(networks.Pictures(), (3, 32, 32), folder),
    "transformer": lambda folder: exported(networks.Words(), (16,), folder, ids=100),
    "LSTM": lambda folder: exported(networks.Series(), (12, 6), folder),
    "wide perceptron": lambda folder: exported(perceptron(1024, 4096, 4096, 10), (1024,), folder),
    "long perceptron": lambda folder: exported(perceptron(64, *[128] * 20, 10), (64,), folder),
    "forest of 100": lambda folder: forest(100, folder),
    "forest of 400": lambda folder: forest(400, folder),
}
"""By name, what writes the model and its rows into a folder."""
OWN = {"fashion_cnn": "test.npz", "segment": "test.csv", "spam_transformer": "test.npz"}
"""The samples with the data that are shipped with them."""


def judged(tools: Tools, name: str, path: Path, data: Data | None) -> dict[str, Any]:
    """Ask for the advice on a model, apply it, and say what the race found."""
    blob, bench = tools.blobs.put(path), Bench(tools)
    subject = Subject(blob.sha256, blob.size, "onnx", path.name)
    golden = probe.ask(bench, subject.model, data)
    found, _ = operators.ask(bench, subject.model, golden)
    advice = advise(found)
    row: dict[str, Any] = {"model": name, "advice": advice.sentence, "technique": advice.technique, "true": None}
    if advice.larger_batch:
        return {**row, **batched(bench, subject.model, golden)}
    if advice.technique is None:
        return row
    try:
        result = compress.run(tools, CompressRequest(subject, (Step(advice.technique),), data, 1.0))
    except PortolanError as error:
        return {**row, "true": False, "refused": error.message}
    race = result.speed
    told = {
        "ratio": round(race.ratio, 3),
        "low": round(race.low, 3),
        "high": round(race.high, 3),
        "pace": str(race.pace),
    }
    return {**row, "true": race.pace is Pace.FASTER, **told, "size": round(result.size.ratio, 2)}


def batched(bench: Bench, model: Model, golden: Golden) -> dict[str, Any]:
    """Time calls with one sample and with several; the advice is true where the intervals of the time a sample do not meet."""
    one, several = (timing.ask(bench, model, golden, batch, seconds=4.0) for batch in (1, BATCH))
    told = {"us a sample": [round(1000 * found.cpu / found.batch, 2) for found in (one, several)]}
    return {"promise": f"calls with {BATCH} samples", "true": several.cpu_high / several.batch < one.cpu_low, **told}


def given(tools: Tools, name: str, folder: Path) -> tuple[Path, Data | None]:
    """Return a model by its name, or a file that is named, with its data."""
    if name in OWN:
        data = tools.blobs.put(SAMPLES / name / OWN[name])
        return SAMPLES / name / "model.onnx", Data(data.sha256, OWN[name])
    if name not in MODELS:
        return Path(name), None
    torch.manual_seed(0)
    path, rows = MODELS[name](folder)
    np.savez(folder / "rows.npz", x=rows)
    return path, Data(tools.blobs.put(folder / "rows.npz").sha256, "rows.npz")


def measure(names: list[str]) -> list[dict[str, Any]]:
    """Judge the advice on each model, and print a line for it."""
    rows = []
    with tempfile.TemporaryDirectory() as home:
        sandbox = Sandbox(Path(home) / "scratch")
        tools = Tools(Blobs(Path(home) / "blobs"), sandbox, lambda fraction, text: None, threading.Event())
        try:
            for name in names:
                with tempfile.TemporaryDirectory() as folder:
                    rows.append(judged(tools, name, *given(tools, name, Path(folder))))
                print(json.dumps(rows[-1]), flush=True)
        finally:
            sandbox.close()
    return rows


def summed_up(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how many advices proved true of those that promise something, and how many promise nothing."""
    promised = [row for row in rows if row["true"] is not None]
    return {"true": sum(row["true"] for row in promised), "of": len(promised), "no promise": len(rows) - len(promised)}


if __name__ == "__main__":
    print(json.dumps(summed_up(measure(sys.argv[1:] or [*OWN, *MODELS]))))
