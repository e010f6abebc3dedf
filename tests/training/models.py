"""Small networks for training: a teacher with weights of its own, and students whose weights were damaged as techniques do."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from core.domain.technique import Lesson
from core.techniques.fine_tune import TECHNIQUE as FINE_TUNE
from core.train.training import Plan

SIZES = (12, 64, 32, 4)
PLAN = Plan(minutes=2, epochs=12, learning_rate=0.003, temperature=2, labels="ignore", seed=3)


def network(softmax: bool = False, batch: str | int = "batch", integers: bool = False) -> onnx.ModelProto:
    """Return two hidden layers with Relu in between that answer clear logits, or their probabilities."""
    rng = np.random.default_rng(11)
    tensors, nodes, name = [], [], "x"
    if integers:
        tensors.append(numpy_helper.from_array(rng.normal(size=(50, 3)).astype(np.float32), "table"))
        nodes = [helper.make_node("Gather", ["table", "x"], ["rows"]), helper.make_node("Flatten", ["rows"], ["flat"])]
        name = "flat"
    for place, (before, after) in enumerate(pairwise(SIZES)):
        spread = 2 / np.sqrt(before)
        tensors.append(
            numpy_helper.from_array((rng.normal(size=(before, after)) * spread).astype(np.float32), f"w{place}")
        )
        tensors.append(numpy_helper.from_array(rng.normal(size=after).astype(np.float32), f"b{place}"))
        nodes.append(helper.make_node("Gemm", [name, f"w{place}", f"b{place}"], [f"h{place}"], name=f"layer{place}"))
        name = f"h{place}"
        if place < len(SIZES) - 2:
            nodes.append(helper.make_node("Relu", [name], [f"r{place}"]))
            name = f"r{place}"
    nodes.append(helper.make_node("Softmax" if softmax else "Identity", [name], ["y"]))
    kind, width = (onnx.TensorProto.INT64, 4) if integers else (onnx.TensorProto.FLOAT, 12)
    inputs = [helper.make_tensor_value_info("x", kind, [batch, width])]
    outputs = [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [batch, 4])]
    graph = helper.make_graph(nodes, "net", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def saved(model: onnx.ModelProto, path: Path) -> Path:
    """Write a model and return where."""
    onnx.save(model, path)
    return path


def damaged(model: onnx.ModelProto, change: Callable[[Any], Any]) -> onnx.ModelProto:
    """Return the model with its matrices changed."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        if len(tensor.dims) == 2:
            array = change(numpy_helper.to_array(tensor).copy()).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return copy


def pruned(array: Any) -> Any:
    """Set seven weights of ten to zero."""
    return np.where(np.abs(array) > np.quantile(np.abs(array), 0.7), array, 0)


def shared(array: Any) -> Any:
    """Leave four values."""
    edges = np.quantile(array, [0.25, 0.5, 0.75])
    return np.array([-0.9, -0.3, 0.3, 0.9])[np.searchsorted(edges, array)] * np.abs(array).max() / 2


def rows(n: int = 300) -> dict[str, Any]:
    """Return samples for the input."""
    return {"x": np.random.default_rng(7).normal(size=(n, 12)).astype(np.float32)}


def lesson(teacher: Path, n: int = 300, labels: Any = None) -> Lesson:
    """Return samples and the model that labels them."""
    return Lesson(teacher, rows(n), labels)


def arrays(model: onnx.ModelProto | Path) -> dict[str, Any]:
    """Return the plain tensors of a model after its compact ones were written out."""
    from core.onnx import unfolding

    proto = onnx.load(model) if isinstance(model, Path) else model
    unfolding.unfold(proto)
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}


def apply(source: Path, out: Path, given: Lesson, **options: Any) -> Path:
    """Fine-tune a file with a few epochs."""
    FINE_TUNE.apply(source, out, FINE_TUNE.Options(**{"epochs": 12, "learning_rate": 0.003, **options}), given)
    return out
