"""What the code says of graphs by hand, onnx-ir says too: the same nodes, tensors and operator sets are left."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir
import pytest
from onnx import helper, numpy_helper
from onnx_ir.passes import common

from core.onnx import branches, parts, unread, weights
from tests.techniques.samples import FOLDER
from tests.techniques.strangers import STRANGERS

Change = Callable[[Any], Any]
EXCEPT = {"sparse"}
"""Models that onnx-ir 1.1.0 does not carry: it drops sparse initializers without a word."""
OTHERWISE = {
    ("sweep", "recurrent"): "onnx-ir leaves out optional outputs that nothing reads as well",
    ("drop_domains", "function"): "by hand, a model with functions keeps all its operator sets",
}
"""Where both are right, and not the same."""
SOURCES = sorted([*(STRANGERS.keys() - EXCEPT), *(path.parent.name for path in FOLDER.glob("*/model.onnx"))])


def read(name: str, folder: Path) -> Any:
    """Return a model by name as onnx-ir writes it unchanged."""
    path = FOLDER / name / "model.onnx"
    if name in STRANGERS:
        path = folder / "model.onnx"
        STRANGERS[name](path)
    return passed(onnx.load(path))


def passed(model: Any, *passes: Any) -> Any:
    """Return what passes of onnx-ir leave of a model."""
    read = onnx_ir.serde.deserialize_model(model)
    for one in passes:
        one(read)
    return shapeless(onnx_ir.serde.serialize_model(read))


def shapeless(model: Any) -> Any:
    """Return a model without lists of shapes, in which onnx-ir writes what it knows of constants."""
    weights.drop_shapes(model)
    return model


def wasteful(model: Any) -> Any:
    """Give a model a second copy of what several nodes read, and idle nodes, tensors and operator sets."""
    given = {value.name for value in (*model.graph.input, *model.graph.output)}
    for number, tensor in enumerate([t for t in model.graph.initializer if t.name not in given]):
        copy = numpy_helper.from_array(numpy_helper.to_array(tensor), f"copy_{number}")
        first = numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name)
        # The same encoding in both: onnx-ir compares values, the code by hand bytes.
        tensor.CopyFrom(first)
        model.graph.initializer.append(copy)
        readers = [node for node in model.graph.node if tensor.name in node.input]
        for node in readers[1:]:
            node.input[:] = [copy.name if name == tensor.name else name for name in node.input]
        model.graph.node.append(helper.make_node("Identity", [copy.name], [f"idle_{number}"]))
        model.graph.node.append(helper.make_node("Neg", [f"idle_{number}"], [f"idle_too_{number}"]))
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(3, np.float32), "idle"))
    model.opset_import.append(helper.make_opsetid("idle", 1))
    return passed(model)


def left(model: Any) -> Any:
    """Return the nodes in order, the tensors by name and the operator sets of a model; what is omitted at a node's end is no matter."""
    nodes = []
    for node in model.graph.node:
        inputs, outputs = ([*names] for names in (node.input, node.output))
        while inputs and not inputs[-1]:
            inputs.pop()
        nodes.append((node.op_type, inputs, outputs, [a.SerializeToString() for a in node.attribute]))
    tensors = sorted((tensor.name, tensor.SerializeToString()) for tensor in model.graph.initializer)
    return nodes, tensors, sorted(one.domain for one in model.opset_import)


def both(model: Any, ours: Change, passes: list[Any]) -> tuple[Any, Any]:
    """Return what is left by our change and by passes of onnx-ir."""
    copy = weights.copied(model)
    ours(copy)
    return left(copy), left(passed(model, *passes))


CHANGES: dict[str, tuple[Change, list[Any]]] = {
    "sweep": (unread.sweep, [common.RemoveUnusedNodesPass()]),
    "merge": (branches.merge, [common.DeduplicateInitializersPass(size_limit=10**9)]),
    "drop_domains": (unread.drop_domains, [common.RemoveUnusedOpsetsPass()]),
}


def cases() -> list[Any]:
    """Return all pairs of a change and a model; those that differ must go on to differ, so that the list stays true."""
    marks = {pair: [pytest.mark.xfail(strict=True, reason=reason)] for pair, reason in OTHERWISE.items()}
    return [pytest.param(*pair, marks=marks.get(pair, [])) for pair in product(CHANGES, SOURCES)]


@pytest.mark.parametrize(("change", "name"), cases())
def test_what_is_idle_or_there_twice_is_what_onnx_ir_finds(change: str, name: str, tmp_path: Path) -> None:
    source = read(name, tmp_path)
    for model in (source, wasteful(weights.copied(source))):
        ours, theirs = both(model, *CHANGES[change])
        assert ours == theirs


@pytest.mark.parametrize("name", SOURCES)
def test_the_part_that_leads_to_a_value_is_what_onnx_ir_extracts(name: str, tmp_path: Path) -> None:
    model = read(name, tmp_path)
    graph = onnx_ir.serde.deserialize_model(model).graph
    for node in model.graph.node[:: 1 + len(model.graph.node) // 20]:
        ours = parts.leading_to(model, [node.output[0]])
        theirs = onnx_ir.convenience.extract(graph, list(graph.inputs), [node.output[0]])
        part = shapeless(helper.make_model(onnx_ir.serde.serialize_graph(theirs)))
        assert left(ours)[:2] == left(part)[:2]
