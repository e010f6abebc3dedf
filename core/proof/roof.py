"""What one thread of this machine does at best, measured through the engine itself by small calls and processor time.

Longer calls are interrupted on a busy machine: a product of 1024 x 1024 showed 36 GFLOP/s by the wall clock where calls
under four milliseconds showed 90 to 94.
"""

import os
import time

import numpy as np

from core.domain.operators import Roof
from core.proof.speed import processor_ns

SIDE, LENGTH = 384, 4 << 20
SECONDS, FEWEST = 0.3, 20


def measured() -> Roof:
    """Measure both in about half a second."""
    flops = 2 * SIDE**3 / _seconds("MatMul", (SIDE, SIDE))
    return Roof(flops / 1e9, 3 * 4 * LENGTH / _seconds("Add", (LENGTH,)) / 1e9)


def _seconds(operator: str, shape: tuple[int, ...]) -> float:
    """Return the processor seconds of the shortest call: others had to share the memory with other programs."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime
    from onnx import TensorProto, helper

    a, b, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "aby")
    graph = helper.make_graph([helper.make_node(operator, ["a", "b"], ["y"])], "roof", [a, b], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed = dict.fromkeys("ab", np.ones(shape, np.float32))
    spent: list[int] = []
    until = time.monotonic() + SECONDS
    while len(spent) < FEWEST or time.monotonic() < until:
        begun = processor_ns()
        session.run(None, feed)
        spent.append(processor_ns() - begun)
    return min(spent) / 1e9
