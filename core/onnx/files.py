"""What every ONNX file here has in common: how it is checked before it is written, and what its graph says of its inputs."""

import os
import re
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from core.domain.errors import Refused, first_line
from core.onnx import metadata, weights
from core.onnx.typing import GraphProto, ModelProto, NodeProto, ValueInfoProto

MAX_OPSET = 26
MAX_IR = 13
"""What ONNX Runtime 1.31.1 loads; onnx 1.23.2 writes opset 28 and IR 14 unless it is told."""
MAX_BYTES = 2_000_000_000
LONG = 64
"""Numbers in an attribute from which it is written packed."""
PASSING = {
    "Cast",
    "Reshape",
    "Identity",
    "Unsqueeze",
    "Squeeze",
    "Flatten",
    "Transpose",
    "Slice",
    "Expand",
    "Concat",
    "Clip",
}
"""Operators that hand ids on as they are."""


def load(path: Path) -> ModelProto:
    """Read a model, weights included, with negative dimensions as unknown ones. Raises Refused when the bytes are no ONNX model or a weight file does not fit."""
    import onnx

    try:
        model = onnx.load(path)
    except Exception as error:
        raise Refused(f"This ONNX file cannot be read: {first_line(error)}", "Export it again.") from None
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_value < 0:
                dim.Clear()
    return model


def write(model: ModelProto, out: Path) -> None:
    """Check a model in full and write it as one file without traces of the machine that made it.

    Raises Refused when it is over 2 GB, newer than ONNX Runtime reads, or not valid.
    """
    strip(model)
    if model.ByteSize() > MAX_BYTES:
        raise Refused("The result is larger than 2 GB, which one ONNX file cannot hold.", "Compress the model first.")
    check(model)
    out.write_bytes(serialised(model))


def serialised(model: ModelProto) -> bytes:
    """Return the bytes of a model, equal for equal models; long lists of numbers in attributes are packed, which halves them.

    Readers of protobuf take both forms: https://protobuf.dev/programming-guides/encoding/#packed.
    """
    lists = (max(len(a.ints), len(a.floats)) for node in weights.nodes(model.graph) for a in node.attribute)
    if max(lists, default=0) < LONG:
        return bytes(model.SerializeToString(deterministic=True))
    return bytes(_packing().FromString(model.SerializeToString()).SerializeToString(deterministic=True))


@cache
def _packing() -> type[ModelProto]:
    """Return ModelProto as it would be had onnx.proto asked for packed numbers in attributes."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    from onnx import ModelProto

    file = descriptor_pb2.FileDescriptorProto()
    ModelProto.DESCRIPTOR.file.CopyToProto(file)
    attribute = next(message for message in file.message_type if message.name == "AttributeProto")
    for field in attribute.field:
        if field.name in ("ints", "floats"):
            field.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    packed: type[ModelProto] = message_factory.GetMessageClass(pool.FindMessageTypeByName("onnx.ModelProto"))
    return packed


def check(model: ModelProto) -> None:
    """Run the full ONNX checker and the version bounds. Raises Refused with the first line of the cause.

    Inputs and outputs without any shape run everywhere, but not through the checker: then types and shapes are inferred.
    """
    import onnx

    if opset(model) > MAX_OPSET or model.ir_version > MAX_IR:
        versions = f"opset {opset(model)}, IR {model.ir_version}"
        raise Refused(
            f"The result is {versions}; ONNX Runtime reads up to opset {MAX_OPSET} and IR {MAX_IR}.",
            "Choose a lower opset.",
        )
    try:
        if all(value.type.tensor_type.HasField("shape") for value in _tensors(model.graph)):
            onnx.checker.check_model(model, full_check=True)
        else:
            onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except Exception as error:
        raise Refused(f"The ONNX checker rejects the result: {first_line(error)}", "Try another opset.") from None


def _tensors(graph: GraphProto) -> Iterator[ValueInfoProto]:
    """Yield the inputs and outputs that are tensors."""
    yield from (v for v in (*graph.input, *graph.output) if v.type.WhichOneof("value") == "tensor_type")


def loads(path: Path) -> None:
    """Load a written file in ONNX Runtime without optimising it. Raises Refused with the first line of the cause."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise Refused(f"ONNX Runtime cannot load the result: {first_line(error)}", "Try another opset.") from None


def opset(model: ModelProto) -> int:
    """Return the version of the default operator set; 1 when the file imports none."""
    return max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)


def lowest_ir(model: ModelProto) -> int:
    """Return the lowest IR version that the model's operator sets and functions need."""
    import onnx

    needed = int(onnx.helper.find_min_ir_version_for(list(model.opset_import), ignore_unknown=True))
    return max(needed, 8 if model.functions else 3)


def strip(model: ModelProto) -> None:
    """Remove what exporters note on nodes and values, stack traces with paths among it (onnx-ir 1.1.0 leaves those of values).

    What the owner says of the model, its inputs and its outputs stays.
    """
    for part in (*weights.nodes(model.graph), *model.functions, *(n for f in model.functions for n in f.node)):
        part.doc_string = ""
        del part.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.initializer):
        value.doc_string = ""
        del value.metadata_props[:]
    for end in (model, model.graph, *model.graph.input, *model.graph.output):
        kept = [entry for entry in end.metadata_props if not entry.key.startswith(metadata.EXPORTER)]
        del end.metadata_props[:]
        end.metadata_props.extend(kept)


def free_batch(model: ModelProto) -> bool:
    """Say whether the first dimension of every input is free."""
    inputs = _real_inputs(model.graph)
    shapes = [value.type.tensor_type.shape.dim for value in inputs]
    return bool(shapes) and all(not dims or not dims[0].HasField("dim_value") for dims in shapes)


def name_batch(model: ModelProto) -> None:
    """Call the free first dimension of the first input ``batch`` wherever its symbol stands."""
    dims = [value.type.tensor_type.shape.dim for value in (*model.graph.input, *model.graph.output)]
    for shape in dims:
        if shape and not shape[0].WhichOneof("value"):
            shape[0].dim_param = "batch"
    symbol = next((shape[0].dim_param for shape in dims if shape and shape[0].dim_param), "")
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if symbol and dim.dim_param:
                dim.dim_param = re.sub(rf"\b{re.escape(symbol)}\b", "batch", dim.dim_param)


def has_half(model: ModelProto) -> bool:
    """Say whether a model reckons with 16-bit floats; weights that are stored so and widened by a Cast do not count."""
    import onnx

    graph = model.graph
    halves = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
    values = [v.type.tensor_type.elem_type for v in (*graph.input, *graph.value_info)]
    read = {name for node in graph.node if node.op_type != "Cast" for name in node.input}
    return any(kind in halves for kind in (*values, *(t.data_type for t in graph.initializer if t.name in read)))


def id_bounds(model: ModelProto) -> dict[str, int]:
    """Return, for each input that looks rows up in a table, the number of rows of the smallest such table."""
    graph = model.graph
    rows = _rows(model)
    origin = {value.name: value.name for value in _real_inputs(graph)}
    bounds: dict[str, int] = {}
    for node in graph.node:
        if node.op_type == "Gather" and node.input[0] in rows and node.input[1] in origin and _axis(node) == 0:
            name = origin[node.input[1]]
            bounds[name] = min(bounds.get(name, rows[node.input[0]]), rows[node.input[0]])
        elif node.op_type in PASSING and node.input and node.input[0] in origin:
            origin.update(dict.fromkeys(node.output, origin[node.input[0]]))
    return bounds


def _rows(model: ModelProto) -> dict[str, int]:
    """Return the first dimension of every constant, and of what is made of packed ones on the way to a table."""
    import onnx

    graph = model.graph
    rows = {tensor.name: tensor.dims[0] for tensor in graph.initializer if tensor.dims}
    tables = {node.input[0] for node in graph.node if node.op_type == "Gather"}
    made = {name for node in graph.node for name in node.output}
    if not tables & made:
        return rows
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph.value_info
    except Exception:
        return rows
    shapes = {value.name: value.type.tensor_type.shape.dim for value in inferred if value.name in tables}
    return rows | {name: dims[0].dim_value for name, dims in shapes.items() if dims and dims[0].dim_value}


def unpacked(archive: Path) -> Path:
    """Unpack a zip with a model and its external data into a folder of ours, and return the model's path there.

    Raises Refused when the zip does not hold exactly one ``.onnx`` file.
    """
    from core.border import archives

    folder = Path(tempfile.mkdtemp(prefix="onnx-", dir="tmp" if Path("tmp").is_dir() else None))
    models = [path for path in archives.extract(archive, folder) if path.suffix.lower() == ".onnx"]
    if len(models) != 1:
        raise Refused(
            f"The zip contains {len(models)} .onnx files; one is needed.", "Zip one model with its data files."
        )
    return models[0]


def _real_inputs(graph: GraphProto) -> list[ValueInfoProto]:
    held = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in held]


def _axis(node: NodeProto) -> int:
    return next((int(a.i) for a in node.attribute if a.name == "axis"), 0)
