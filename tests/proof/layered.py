"""Chains of equal layers as ONNX files, whose cost is known from their count."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def chain(layers: int, width: int, path: Path) -> Path:
    """Write ``layers`` matrix products of width x width, each with a ReLU behind; the batch is free."""
    rng, nodes, weights = np.random.default_rng(0), [], []
    for n in range(layers):
        weight = rng.standard_normal((width, width), np.float32) * np.float32((2 / width) ** 0.5)
        weights.append(numpy_helper.from_array(weight, f"w{n}"))
        nodes.append(helper.make_node("MatMul", [f"x{n}", f"w{n}"], [f"p{n}"]))
        nodes.append(helper.make_node("Relu", [f"p{n}"], [f"x{n + 1}"]))
    ends = [helper.make_tensor_value_info(f"x{n}", TensorProto.FLOAT, ["N", width]) for n in (0, layers)]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    return path
