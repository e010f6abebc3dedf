"""A bench that plants one fault in what a converter wrote: the proof must catch it."""

from pathlib import Path
from typing import Any

import onnx
from onnx import numpy_helper

from core.calls.bench import Bench
from core.domain.transform import Converter
from core.domain.work import Golden, Model


class Faulty(Bench):
    """Converts as always, then changes one weight of the result before it is stored."""

    def convert(
        self, source: Model, converter: Converter, options: dict[str, Any], golden: Golden | None = None
    ) -> Model:
        """Return the converted model with its largest weight tensor changed in one place."""
        honest = super().convert(source, converter, options, golden)
        path = Path(self.tools.blobs.path(honest.sha256)).parent / "planted"
        path.write_bytes(spoilt(self.tools.blobs.path(honest.sha256).read_bytes()))
        blob = self.tools.blobs.put(path)
        path.unlink()
        return Model(blob.sha256, blob.size, honest.format)


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
