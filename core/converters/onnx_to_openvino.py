"""ONNX to OpenVINO IR, for Intel processors, graphics and accelerators."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.errors import Refused
from core.domain.transform import Converter, Tolerance
from core.domain.unsupported import Unsupported, told
from core.libraries import ir, ir_arithmetic
from core.libraries.ir_arithmetic import ArithmeticOptions
from core.onnx import files, metadata
from core.onnx.typing import GraphProto, NodeProto

if TYPE_CHECKING:
    from openvino import Model, Output

LENGTHS = {"LSTMSequence": 3, "GRUSequence": 2, "RNNSequence": 2}
"""Where a layer takes the lengths of its sequences."""
INSTEAD = "Replace them with other ONNX operators, try another opset, or choose another target."


class OnnxToOpenVino(Converter):
    """Reads ONNX with the engine's own front end, and keeps names and free dimensions."""

    title = "ONNX to OpenVINO"
    sentence = "Writes an ONNX file as OpenVINO IR: the .xml and the .bin in one zip, weights in full precision."
    source, target, suffix = "onnx", "openvino", ".zip"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    Options = ArithmeticOptions

    def convert(self, source: Path, out: Path, options: ArithmeticOptions) -> None:
        """Read, write and compile. Raises Refused with all operators that have no rule, and where they are."""
        try:
            model = ir.engine().Core().read_model(source)
        except Exception as error:
            raise ir.refusal(error, lambda names: _places(names, source), INSTEAD) from None
        graph = files.load(source)
        held = {tensor.name for tensor in graph.graph.initializer}
        names = [value.name for value in graph.graph.input if value.name not in held]
        _check_inputs(model, names)
        _check_lengths(model)
        ir_arithmetic.settle(model, options.arithmetic)
        ir.tell(model, metadata.entries(graph))
        ir.write(model, out, _order(model, names), [value.name for value in graph.graph.output])


def _order(model: "Model", names: list[str]) -> list[str]:
    """Return the ONNX names in the order of the model's inputs."""
    return [min(port.get_names() & set(names), default=names[place]) for place, port in enumerate(model.inputs)]


def _check_inputs(model: "Model", names: list[str]) -> None:
    """Refuse a result that lost an input, because its callers would still give it."""
    if len(model.inputs) != len(names):
        kept = {name for port in model.inputs for name in port.get_names()}
        lost = ", ".join(name for name in names if name not in kept) or "one"
        raise Refused(f"OpenVINO drops the input {lost}.", "Remove the unused input from the ONNX model.")


def _check_lengths(model: "Model") -> None:
    """Refuse recurrent layers of dynamic sizes that read lengths: OpenVINO 2026.4 was seen to run all steps of each sequence there."""
    for node in model.get_ops():
        place = LENGTHS.get(node.get_type_name())
        if place and node.input_value(0).get_partial_shape().is_dynamic and _is_given(node.input_value(place)):
            raise Refused(
                f"OpenVINO ignores the lengths of sequences (of an {node.get_type_name().removesuffix('Sequence')} here) whose sizes are dynamic.",
                "Export the model with fixed sizes, or without the lengths where all sequences are as long as their array.",
            )


def _is_given(value: "Output") -> bool:
    """Say whether a value depends on an input of the model itself and not only on the sizes of one."""
    waiting, seen = [value.get_node()], set[str]()
    while waiting:
        node = waiting.pop()
        if node.get_type_name() == "Parameter":
            return True
        if node.get_friendly_name() not in seen and node.get_type_name() != "ShapeOf":
            seen.add(node.get_friendly_name())
            waiting += [node.input_value(place).get_node() for place in range(node.get_input_size())]
    return False


def _places(names: tuple[str, ...], source: Path) -> str:
    """Name operators with the nodes that use them; what stands only in a function has no place of its own."""
    calls = list(enumerate(_nodes(files.load(source).graph), 1))
    found = [Unsupported(_called(node), node.name, place) for place, node in calls if _called(node) in names]
    unseen = [name for name in names if name not in {one.operator for one in found}]
    return "; ".join(part for part in (told(found), ", ".join(unseen)) if part)


def _called(node: NodeProto) -> str:
    return str(node.op_type) if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"


def _nodes(graph: GraphProto) -> Iterator[NodeProto]:
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from _nodes(inner)


CONVERTER = OnnxToOpenVino()
