"""A small network with its samples, and what a search on it is asked and told."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from core.calls import footprint
from core.calls.bench import Bench
from core.domain.codec import decode, encode
from core.sandbox.tools import Memory, Tools
from core.verbs import compress
from core.verbs.compress import Effort
from core.verbs.tuning import finishing, state, trials

R = TypeVar("R")
SIZES = (32, 96, 64, 4)


def network(folder: Path) -> tuple[Path, list[Any]]:
    """Write a small network of three layers, and return it with its matrices."""
    rng = np.random.default_rng(3)
    matrices = [(rng.standard_t(4, size=(a, b)) / np.sqrt(2 * a)).astype(np.float32) for a, b in pairwise(SIZES)]
    nodes, value = [], "x"
    for number, _ in enumerate(matrices):
        nodes.append(helper.make_node("MatMul", [value, f"w{number}"], [f"h{number}"]))
        value = f"h{number}"
        if number < len(matrices) - 1:
            nodes.append(helper.make_node("Relu", [value], [f"r{number}"]))
            value = f"r{number}"
    ends = [helper.make_tensor_value_info(value, TensorProto.FLOAT, ["n", SIZES[-1]])]
    begins = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", SIZES[0]])]
    tensors = [numpy_helper.from_array(matrix, f"w{number}") for number, matrix in enumerate(matrices)]
    graph = helper.make_graph(nodes, "g", begins, ends, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx", matrices


def scores(matrices: list[Any], x: Any) -> Any:
    """Return what the network answers."""
    for matrix in matrices[:-1]:
        x = np.maximum(x @ matrix, 0)
    return x @ matrices[-1]


def margins(found: Any) -> Any:
    """Return by how much the first class leads the second."""
    ordered = np.sort(found, axis=1)
    return ordered[:, -1] - ordered[:, -2]


def samples(folder: Path, matrices: list[Any], n: int = 900) -> Path:
    """Write samples with the network's own answers as labels, a few of them wrong."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(n, SIZES[0])).astype(np.float32)
    y = scores(matrices, x).argmax(axis=1)
    y[::25] = (y[::25] + 1) % SIZES[-1]
    np.savez(folder / "data.npz", x=x, y=y)
    return folder / "data.npz"


def short_races(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure for a moment only, in one process each."""
    monkeypatch.setattr(compress, "RACE_SECONDS", 0.2)
    monkeypatch.setattr(footprint, "PROCESSES", 1)
    for module in (trials, finishing, state):
        monkeypatch.setattr(module, "QUICK", Effort(0.2, 1))


class Notes(Memory):
    """Remembers what it was told, as the store does."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self.said: list[str] = []

    def known(self, verb: str, request: object, kind: type[R]) -> R | None:
        """Return an answer, or what a stopped search kept."""
        last = self.kept[-1] if self.kept else None
        found = last if verb == "tune" else self.answers.get(json.dumps(encode(request), sort_keys=True))
        return None if found is None else decode(kind, found)

    def answer(self, verb: str, request: object, result: object) -> None:
        """Keep an answer."""
        self.answers[json.dumps(encode(request), sort_keys=True)] = encode(result)

    def keep(self, result: object) -> None:
        """Keep what is known so far."""
        self.kept.append(json.loads(json.dumps(encode(result))))
        self.said.append(f"stage {self.kept[-1]['stage']}")


class Watched(Bench):
    """Writes down which part of the data each task was given."""

    def call(self, call: Any, request: Any, *rest: Any, **named: Any) -> Any:
        data = getattr(request, "data", None)
        parts = [getattr(data, "half", None), getattr(request, "learns", None), getattr(request, "scores", None)]
        self.tools.memory.said.extend(f"{call.name} {part}" for part in parts if part)  # type: ignore[attr-defined]
        return super().call(call, request, *rest, **named)


def asked(tools: Tools, model: Path, samples: Path, **more: Any) -> dict[str, Any]:
    """Name a search as a page does."""
    blob = tools.blobs.put(model)
    return {
        "sha256": blob.sha256,
        "size": blob.size,
        "format": "onnx",
        "name": model.name,
        "artifact": None,
        "consent": False,
        "data": {"sha256": tools.blobs.put(samples).sha256, "name": samples.name, "label": None},
        "max_drop": 0.02,
        "minimise": "size",
        "minutes": 5.0,
        "seed": 7,
        "keep": [],
        **more,
    }


def tried(result: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return what defines the candidates in their order."""
    return [(p["ladder"], p["rung"], p["sha256"], p["lost"], p["within"]) for p in result["points"]]
