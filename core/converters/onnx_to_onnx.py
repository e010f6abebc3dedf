"""ONNX to ONNX of another opset or IR version, for a runtime that is older or newer."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import Refused
from core.domain.transform import Converter, Tolerance, option
from core.domain.unsupported import Unsupported, told
from core.onnx import files, metadata
from core.onnx.typing import GraphProto, ModelProto, ValueInfoProto

Way = Callable[[ModelProto, int], ModelProto]
End = tuple[str, int, list[bool] | None]
KEEP = 0


@dataclass(frozen=True)
class VersionOptions:
    """Which versions to write; 0 keeps the file's opset, or takes the lowest IR version that is enough."""

    opset: int = option(
        21, "ONNX operator set to write, 7 to 26; 0 keeps the file's own.", choices=(KEEP, *range(7, 27))
    )
    ir: int = option(
        KEEP, "IR version to write, 3 to 13; 0 chooses the lowest that the opset allows.", choices=(KEEP, *range(3, 14))
    )


class OnnxToOnnx(Converter):
    """Tries the two version converters there are, and keeps the first result that is valid and loads."""

    title = "ONNX to another opset"
    sentence = "Rewrites an ONNX file for another operator set or IR version."
    source, target, suffix = "onnx", "onnx", ".onnx"
    tolerance = Tolerance(absolute=1e-5, relative=1e-5)
    Options = VersionOptions

    def convert(self, source: Path, out: Path, options: VersionOptions) -> None:
        """Convert, check and load. Raises Refused with the operators that stand in the way."""

        model = files.load(source)
        before = files.opset(model)
        wanted = options.opset or before
        ways = [_same] if wanted == before else [_by_onnx, _by_onnxscript]
        for way in ways:
            if _attempt(way, model, wanted, options.ir, out):
                return
        out.unlink(missing_ok=True)
        raise Refused(
            f"Opset {before} cannot be converted to {wanted}: {_in_the_way(model, before, wanted)}.",
            "Choose an opset closer to the file's, or export the model again from its source with that opset.",
        )


def _same(model: ModelProto, opset: int) -> ModelProto:
    import onnx

    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def _by_onnx(model: ModelProto, opset: int) -> ModelProto:
    import onnx

    return onnx.version_converter.convert_version(model, opset)


def _by_onnxscript(model: ModelProto, opset: int) -> ModelProto:
    from onnxscript import ir, version_converter

    graph = ir.from_proto(model)
    version_converter.convert_version(graph, opset)
    carried: ModelProto = ir.to_proto(graph)
    return carried


def _attempt(way: Way, model: ModelProto, opset: int, ir: int, out: Path) -> bool:
    """Write one way's result and say whether it holds: the opset asked for, valid, loadable, the same inputs and outputs, as free as before."""
    try:
        result = way(model, opset)
        if files.opset(result) != opset or not _same_ends(model, result):
            return False
    except Exception:
        return False
    result.ir_version = _ir(result, ir)
    metadata.carry(model, result)
    try:
        files.write(result, out)
        files.loads(out)
    except Refused:
        return False
    return True


def _same_ends(before: ModelProto, after: ModelProto) -> bool:
    """Say whether inputs and outputs kept their names, types and ranks, and inputs their free dimensions; some operators lost a batch axis with a version."""
    if _inputs(before.graph) != _inputs(after.graph):
        return False
    pairs = [(_end(a), _end(b)) for a, b in zip(before.graph.output, after.graph.output, strict=True)]
    return all(a[:2] == b[:2] and (a[2] is None or b[2] is None or len(a[2]) == len(b[2])) for a, b in pairs)


def _inputs(graph: GraphProto) -> list[End]:
    held = {tensor.name for tensor in graph.initializer}
    return [_end(value) for value in graph.input if value.name not in held]


def _end(value: ValueInfoProto) -> End:
    """Return name, element type, and which dimensions are free; None where the shape is unknown."""
    kind = value.type.tensor_type
    free = [not dim.HasField("dim_value") for dim in kind.shape.dim] if kind.HasField("shape") else None
    return value.name, kind.elem_type, free


def _ir(model: ModelProto, wanted: int) -> int:
    """Return the IR version to write. Raises Refused when the wanted one is older than the opsets need."""
    needed = files.lowest_ir(model)
    if wanted and wanted < needed:
        raise Refused(
            f"IR version {wanted} cannot hold opset {files.opset(model)}.",
            f"Choose IR {needed} or higher, or a lower opset.",
        )
    return wanted or needed


def _in_the_way(model: ModelProto, before: int, wanted: int) -> str:
    """Name the operators whose definition changed between the two opsets, and where they stand in the graph."""
    found = []
    for place, node in enumerate(model.graph.node, 1):
        old, new = (_since(node.op_type, at) for at in (before, wanted))
        if node.domain in ("", "ai.onnx") and old != new:
            change = f"{node.op_type} {old} to {new}" if new else f"{node.op_type}, not in {wanted}"
            found.append(Unsupported(change, node.name, place))
    return (
        f"the definitions of these operators differ: {told(found)}" if found else "no converter can rewrite the graph"
    )


def _since(name: str, opset: int) -> int | None:
    import onnx

    try:
        return int(onnx.defs.get_schema(name, opset, "").since_version)
    except onnx.defs.SchemaError:
        return None


CONVERTER = OnnxToOnnx()
