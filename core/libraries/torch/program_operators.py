"""Which operators of an exported program or a script torch's exporters know; their own tables, private to ``torch.onnx``."""

from collections.abc import Iterator
from typing import Any

from core.domain.unsupported import Unsupported
from core.libraries.torch import ExportedProgram, FxNode, ScriptNode, exported_programs


def registry(opset: int = 20) -> Any:
    """Return the exporter's table from operators to ONNX functions."""
    from torch.onnx._internal.exporter import _registration

    with exported_programs.quiet():
        return _registration.ONNXRegistry.from_torchlib(opset_version=opset)


def taken_apart(program: ExportedProgram, table: Any) -> ExportedProgram:
    """Return the program decomposed as the exporter decomposes it before it translates node by node."""
    from torch.onnx._internal.exporter import _fx_passes

    with exported_programs.quiet():
        return _fx_passes.decompose_with_registry(program, table)


def unsupported(program: ExportedProgram, opset: int) -> list[Unsupported]:
    """Return every node for which the exporter has no ONNX function, in the order of the graph."""
    from torch.onnx._internal.exporter import _dispatching

    table = registry(opset)
    nodes = list(taken_apart(program, table).graph.nodes)
    return [
        Unsupported(str(node.target), node.name, place, _module(node))
        for place, node in enumerate(nodes, 1)
        if node.op == "call_function"
        and type(node.target).__name__ == "OpOverload"
        and not _asserts(node)
        and _dispatching.dispatch(node, table)[0] is None
    ]


def unsupported_script(module: Any, opset: int) -> list[Unsupported]:
    """Return every tensor operator of a script for which the exporter for scripts has no rule at this opset."""
    from torch.onnx._internal.torchscript_exporter.registration import registry as symbolics

    def known(kind: str) -> bool:
        return any(bool(symbolics.is_registered_op(name, opset)) for name in (kind, kind.rstrip("_")))

    return [
        Unsupported(node.kind(), node.outputsAt(0).debugName() if node.outputsSize() else "", place)
        for place, node in enumerate(_nodes(module.inlined_graph), 1)
        if _gives_tensors(node) and not node.kind().startswith(("prim::", "onnx::")) and not known(node.kind())
    ]


def _gives_tensors(node: ScriptNode) -> bool:
    """Say whether an operator of a script answers with a tensor; what counts and compares is worked out by the exporter."""
    return any(str(output.type()) == "Tensor" or "Float(" in str(output.type()) for output in node.outputs())


def _nodes(block: Any) -> Iterator[ScriptNode]:
    """Yield the nodes of a TorchScript graph in order, those of its blocks behind the node that holds them."""
    for node in block.nodes():
        yield node
        for inner in node.blocks():
            yield from _nodes(inner)


def _asserts(node: FxNode) -> bool:
    """Say whether a node only checks something, which the exporter drops."""
    return "assert" in str(node.target) or "sym_constrain" in str(node.target)


def _module(node: FxNode) -> str:
    """Return the path of the layer that a node belongs to, as its author named it; empty where the program lost it."""
    stack = node.meta.get("nn_module_stack") or {}
    return str(list(stack.values())[-1][0]).replace("L['self'].", "") if stack else ""
