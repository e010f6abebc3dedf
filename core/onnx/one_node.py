"""Which operators of a graph an engine takes: the graph is cut into models of one node each, and each is loaded."""

from collections.abc import Callable, Iterator
from pathlib import Path

from core.domain.assessment import Cell, Fit, Fits, Known
from core.domain.errors import Refused, first_line
from core.onnx import files
from core.onnx.typing import ModelProto, NodeProto

SMALL = 1_000_000
"""Bytes of constants up to which a node is tried alone."""


def named(node: NodeProto) -> str:
    """Return the operator as summaries write it."""
    return node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"


def of_loading(path: Path, load: Callable[[bytes], object], known: Known) -> Fit:
    """Load the whole model; where that fails, each distinct operator alone, so that all that is missing is told and not only the first."""
    model = files.load(path)
    operators = sorted({named(node) for node in model.graph.node})
    try:
        load(model.SerializeToString())
    except Exception as error:
        cells = tuple(_alone(model, operator, load, known) for operator in operators)
        missing = [cell.operator for cell in cells if cell.fits is Fits.NO]
        what = f"Not taken: {', '.join(missing)}." if missing else first_line(error)
        return Fit(Fits.NO, known, what, cells)
    return Fit(Fits.YES, known, "The whole model loads.", tuple(Cell(one, Fits.YES, known) for one in operators))


def _alone(model: ModelProto, operator: str, load: Callable[[bytes], object], known: Known) -> Cell:
    why = ""
    for alone in _cut(model, operator):
        try:
            load(alone.SerializeToString())
        except Exception as error:
            why = first_line(error)
        else:
            return Cell(operator, Fits.YES, known)
    return Cell(operator, Fits.NO, known, why) if why else Cell(operator, Fits.UNKNOWN, Known.UNKNOWN, "Not cut out.")


def _cut(model: ModelProto, operator: str) -> Iterator[ModelProto]:
    """Yield models of one node with this operator, for the first of each pattern of types, three at most."""
    import onnx

    try:
        whole = onnx.shape_inference.infer_shapes(model)
    except Exception:
        whole = model
    values = {v.name: v for v in (*whole.graph.value_info, *whole.graph.input, *whole.graph.output)}
    constants = {t.name: t for t in whole.graph.initializer if t.ByteSize() <= SMALL}
    seen: set[tuple[int, ...]] = set()
    for node in whole.graph.node:
        if named(node) != operator or len(seen) == 3:
            continue
        inputs = [values[name] for name in node.input if name in values and name not in constants]
        held = [constants[name] for name in node.input if name in constants]
        outputs = [values.get(name) or onnx.ValueInfoProto(name=name) for name in node.output if name]
        types = tuple(value.type.tensor_type.elem_type for value in inputs)
        if types in seen or len(inputs) + len(held) < len([name for name in node.input if name]):
            continue
        seen.add(types)
        graph = onnx.helper.make_graph([node], "one", inputs, outputs, held)
        yield onnx.helper.make_model(graph, opset_imports=whole.opset_import, ir_version=whole.ir_version)


def taken(path: Path) -> list[str]:
    """Return the operators of a file, each once. Raises Refused when it cannot be read."""
    operators = sorted({named(node) for node in files.load(path).graph.node})
    if not operators:
        raise Refused("The graph has no operators.", "Export the model again.")
    return operators
