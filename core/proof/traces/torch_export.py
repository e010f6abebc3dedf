"""Values between the operators of an exported program, node by node, in the form in which the ONNX exporter saw them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.runtimes.torch import load_program

if TYPE_CHECKING:
    from torch.export import ExportedProgram


class ProgramTrace:
    """Interprets the program's graph after the exporter's own decomposition, which gives the nodes the names in the ONNX file."""

    def __init__(self, path: Path) -> None:
        import torch

        torch.set_num_threads(1)
        self._program = decomposed(load_program(path))
        self._nodes = {
            node.name: (place, node)
            for place, node in enumerate(self._program.graph.nodes, 1)
            if node.op == "call_function" and isinstance(node.meta.get("val"), torch.Tensor)
        }
        self.names = tuple(self._nodes)

    def values(self, names: list[str], inputs: Mapping[str, np.ndarray]) -> dict[str, object]:
        """Run node by node and keep the named values."""
        return _run(self._program, set(names), inputs)[1]

    def outputs(self, inputs: Mapping[str, np.ndarray]) -> list[object]:
        """Run node by node and return the answers."""
        return _run(self._program, set(), inputs)[0]

    def where(self, name: str) -> str:
        """Return operator and node, with its place in the program."""
        place, node = self._nodes[name]
        return f"{node.target} {name!r} (node {place} of {len(self._program.graph.nodes)})"


def decomposed(program: "ExportedProgram") -> "ExportedProgram":
    """Return the program as the exporter to ONNX takes it apart before it translates (``torch.onnx``, private there)."""
    from core.libraries.torch.program_operators import registry, taken_apart

    apart: ExportedProgram = taken_apart(program, registry())
    return apart


def _run(
    program: "ExportedProgram", names: set[str], inputs: Mapping[str, np.ndarray]
) -> tuple[list[object], dict[str, object]]:
    import torch
    from torch.utils import _pytree

    kept: dict[str, object] = {}

    class Recorder(torch.fx.Interpreter):
        def run_node(self, n: torch.fx.Node) -> object:
            value = super().run_node(n)
            if n.name in names:
                kept[n.name] = _array(value)
            return value

    with torch.no_grad():
        answer = Recorder(program.graph_module).run(*_arguments(program, inputs))
    ends = [spec.kind.name == "USER_OUTPUT" for spec in program.graph_signature.output_specs]
    flat = [leaf for leaf, end in zip(_pytree.tree_leaves(answer), ends, strict=True) if end]
    return [_array(leaf) for leaf in flat], kept


def _arguments(program: "ExportedProgram", inputs: Mapping[str, np.ndarray]) -> list[object]:
    """Return the flat arguments of the lifted graph: weights, constants and the user's tensors, in its order."""
    import torch

    arrays = iter(inputs.values())
    found = []
    for spec in program.graph_signature.input_specs:
        if spec.kind.name != "USER_INPUT":
            found.append(program.state_dict.get(spec.target, program.constants.get(spec.target)))
        elif hasattr(spec.arg, "value"):
            found.append(spec.arg.value)
        else:
            array = inputs[spec.arg.name] if spec.arg.name in inputs else next(arrays)
            found.append(torch.from_numpy(array))
    return found


def _array(value: object) -> object:
    import torch

    if not isinstance(value, torch.Tensor):
        return value
    return (value.float() if value.dtype == torch.bfloat16 else value).detach().cpu().numpy()
