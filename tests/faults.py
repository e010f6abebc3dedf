"""A bench that plants one fault in what a converter wrote: the proof must catch it."""

from pathlib import Path

import onnx
from onnx import numpy_helper

from core.calls.bench import Bench
from core.memory.blobs import Blob


class Faulty(Bench):
    """Converts as always, then changes one weight of the result before it is stored."""

    def keep(self, path: Path) -> Blob:
        """Keep a converted model with its largest weight tensor changed in one place."""
        if path.name == "artifact":
            path.write_bytes(spoilt(path.read_bytes()))
        return super().keep(path)


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
