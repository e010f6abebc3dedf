"""How far a race of two files can be trusted on this machine: equal files must come out equal, 5 % more work must show.

Each case is raced again and again with fresh sessions: a file against itself, and a chain of 21 equal convolutions against
one of 20. One JSON object on stdout, with every ratio and interval. Run by ``python -m benchmarks.races [repeats]``.
"""

import json
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from core.domain.overhead import Race
from core.proof.samples import Sampler
from core.proof.speed import SECONDS, race
from core.runtimes import runtime_for

REPEATS = 12
SAMPLES = Path(__file__).parents[1] / "sample_models"
CHANNELS, SIDE = 16, 32


def chain(layers: int, path: Path) -> Path:
    """Write a chain of equal 3 x 3 convolutions with ReLU behind each."""
    rng, nodes, weights = np.random.default_rng(0), [], []
    for n in range(layers):
        weight = rng.standard_normal((CHANNELS, CHANNELS, 3, 3)).astype(np.float32) / (3 * CHANNELS**0.5)
        weights.append(numpy_helper.from_array(weight, f"w{n}"))
        nodes.append(helper.make_node("Conv", [f"x{n}", f"w{n}"], [f"c{n}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{n}"], [f"x{n + 1}"]))
    ends = [helper.make_tensor_value_info(f"x{n}", TensorProto.FLOAT, ["N", CHANNELS, SIDE, SIDE]) for n in (0, layers)]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    return path


def raced(parent: Path, variant: Path, seed: int, seconds: float = SECONDS) -> tuple[Race, float]:
    """Race two ONNX files once, and return what came out with the seconds that it took."""
    started, runtime = time.monotonic(), runtime_for("onnx")
    inputs = Sampler(runtime.open(parent, "onnx"), 0).random(1, 0)
    first, second = (runtime.opener(file, "onnx", {}) for file in (parent, variant))
    found = race(first, second, inputs, 1, seed, seconds)
    return found, time.monotonic() - started


def summed_up(found: list[tuple[Race, float]], truth: float | None) -> dict[str, Any]:
    """Return verdicts, how often the interval holds the true ratio, and the spread of the ratios."""
    races = [one for one, _ in found]
    ratios = [one.ratio for one in races]
    return {
        "verdicts": Counter(str(one.pace) for one in races),
        "interval_holds_truth": None if truth is None else sum(one.low <= truth <= one.high for one in races),
        "mean_ratio": round(mean(ratios), 4),
        "sd_ratio": round(stdev(ratios), 4),
        "mean_half_width": round(mean((one.high - one.low) / 2 for one in races), 4),
        "mean_interference": round(mean(one.interference for one in races), 2),
        "mean_seconds": round(mean(seconds for _, seconds in found), 1),
        "cpu_ms": [round(mean(one.parent.cpu_p50 for one in races), 3), round(mean(one.variant.cpu_p50 for one in races), 3)],
        "races": [[round(one.ratio, 4), round(one.low, 4), round(one.high, 4)] for one in races],
    }  # fmt: skip


def measure(repeats: int) -> dict[str, Any]:
    """Race each case ``repeats`` times, the cases in turns."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        twenty, more = (chain(layers, Path(folder) / f"{layers}.onnx") for layers in (20, 21))
        fashion, spam = (SAMPLES / name / "model.onnx" for name in ("fashion_cnn", "spam_transformer"))
        cases = {
            "chain against itself": (twenty, twenty, 1.0),
            "chain against 21/20 of it": (twenty, more, None),
            "fashion_cnn against itself": (fashion, fashion, 1.0),
            "spam_transformer against itself": (spam, spam, 1.0),
        }
        found: dict[str, list[tuple[Race, float]]] = {name: [] for name in cases}
        for repeat in range(repeats):
            for name, (parent, variant, _) in cases.items():
                found[name].append(raced(parent, variant, repeat))
        summary = {name: summed_up(found[name], truth) for name, (_, _, truth) in cases.items()}
    return {"repeats": repeats, "cores": os.cpu_count(), "load_before": round(load, 2), "cases": summary}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else REPEATS)))
