"""ONNX to ncnn by pnnx, the converter of ncnn's own makers."""

from pathlib import Path

from core.domain.artifact import TensorSpec
from core.domain.errors import Refused
from core.domain.groups import GROUPS
from core.domain.transform import Converter, NoOptions, Tolerance
from core.libraries import ncnn
from core.onnx import files
from core.onnx.typing import ModelProto


class OnnxToNcnn(Converter):
    """Fixes the batch at one, because ncnn has none."""

    title = "ONNX to ncnn"
    sentence = "Writes an ONNX file for ncnn, on phones and small boards; one sample at a time."
    source, target, suffix = "onnx", "ncnn", ".zip"
    tolerance = Tolerance(absolute=5e-4, relative=5e-4)
    group = GROUPS["ncnn"]
    kind = "ncnn"

    def convert(self, source: Path, out: Path, options: NoOptions) -> None:
        """Run pnnx on the graph. Raises Refused with all operators that ncnn has not."""
        graph = files.load(source)
        specs = _specs(graph)
        model = ncnn.work_folder() / "model.onnx"
        files.write(graph, model)
        rows = ncnn.convert(model, specs)
        if isinstance(rows, Refused):
            raise rows
        ncnn.pack(model, rows, specs, out)


def _specs(model: ModelProto) -> list[TensorSpec]:
    import onnx

    held = {tensor.name for tensor in model.graph.initializer}
    specs = []
    for value in model.graph.input:
        kind = value.type.tensor_type
        if value.name in held:
            continue
        dtype = str(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)) if kind.elem_type != 8 else "str"
        dims = tuple(dim.dim_value if dim.HasField("dim_value") else "free" for dim in kind.shape.dim)
        specs.append(TensorSpec(value.name, dtype, dims))
    return specs


CONVERTER = OnnxToNcnn()
