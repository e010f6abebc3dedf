"""A bench that plants one fault in what a converter wrote: the proof must catch it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from core.calls.bench import Bench
from core.memory.blobs import Blob
from core.sandbox.tools import Tools


class Faulty(Bench):
    """Converts as always, then spoils the result before it is stored; as a rule one weight of it."""

    def __init__(self, tools: Tools, spoil: Callable[[bytes], bytes] | None = None) -> None:
        super().__init__(tools)
        self._spoil = spoil or spoilt

    def keep(self, path: Path) -> Blob:
        """Keep a converted model with the fault in it."""
        if path.name == "artifact":
            path.write_bytes(self._spoil(path.read_bytes()))
        return super().keep(path)


def clipped(model: bytes) -> bytes:
    """Clip the first answer of an ONNX model at 500, where its own graph has no limit."""
    proto = onnx.load_from_string(model)
    answer = proto.graph.output[0].name
    for node in proto.graph.node:
        node.output[:] = ["free" if name == answer else name for name in node.output]
    limits = [numpy_helper.from_array(np.float32(sign * 500), f"limit{sign}") for sign in (-1, 1)]
    proto.graph.initializer.extend(limits)
    proto.graph.node.append(onnx.helper.make_node("Clip", ["free", *(t.name for t in limits)], [answer]))
    return bytes(proto.SerializeToString())


def spoilt(model: bytes) -> bytes:
    """Change one weight of an ONNX model."""
    proto = onnx.load_from_string(model)
    weight = max(
        (t for t in proto.graph.initializer if t.data_type == onnx.TensorProto.FLOAT), key=lambda t: len(t.raw_data)
    )
    values = numpy_helper.to_array(weight).copy()
    values.flat[values.size // 2] += 25.0
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    return bytes(proto.SerializeToString())
