"""How surely a change between two ONNX graphs is named: one change is planted in a model whose parts are all renamed and reordered.

Each model (a convolution net and a transformer of ``sample_models``, a chain of layers, a graph with a branch) gets each kind of change that it has a place for: an operator more or less, an attribute, one number of one
weight, all of a weight, a weight in half precision, an input or an output called otherwise, another connection. Right is
only a list that holds that one change and nothing else; a mere renaming and reordering must show none. One JSON object on
stdout. Run by ``python -m benchmarks.diffs [seed]``.
"""

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper, parser

from benchmarks.races import chain
from core.domain.difference import Change, ChangeKind, Difference
from core.proof.structure.difference import difference

SAMPLES = Path(__file__).parents[1] / "sample_models"
BRANCH = """<ir_version: 8, opset_import: ["" : 17]>
g (float[N, 4] x) => (float[N, 4] y) {
    m = ReduceMax <keepdims = 0> (x)
    c = Greater (m, t)
    s = Softplus (x)
    y = If (c) <then_branch = a () => (float[N, 4] p) { q = Mul (s, k) p = Selu <alpha: float = 1.5> (q) },
                else_branch = b () => (float[N, 4] r) { r = Neg (s) }>
}"""
Plant = Callable[[ModelProto, random.Random], tuple[ChangeKind, str] | None]
"""Changes a model in place, and returns the kind and the operator of what must be named; None where there is no place for it."""


def models(folder: Path) -> Iterator[tuple[str, ModelProto]]:
    """Yield the models by name."""
    for name in ("fashion_cnn", "spam_transformer"):
        yield name, onnx.load(SAMPLES / name / "model.onnx")
    yield "chain", onnx.load(chain(12, folder / "chain.onnx"))
    branch = parser.parse_model(BRANCH)
    numbers = (("t", 0.5), ("k", 2.0))
    branch.graph.initializer.extend(numpy_helper.from_array(np.array(v, np.float32), n) for n, v in numbers)
    yield "branch", branch


def renamed(model: ModelProto, dice: random.Random) -> ModelProto:
    """Return the same network with other names for all but its ends, nodes in another order, and constants as nodes."""
    copy = ModelProto()
    copy.CopyFrom(model)
    kept = {one.name for one in (*copy.graph.input, *copy.graph.output)}
    stored = list(copy.graph.initializer)
    if dice.random() < 0.5:
        del copy.graph.initializer[:]
        nodes = [helper.make_node("Constant", [], [one.name], value=one) for one in stored]
        copy.graph.node.extend(nodes)
    dice.shuffle(stored)
    ordered = list(_ordered(copy.graph, dice))
    del copy.graph.node[:]
    copy.graph.node.extend(ordered)
    names: dict[str, str] = {}
    _rename(copy.graph, lambda name: name if not name or name in kept else names.setdefault(name, f"v{len(names)}"))
    del copy.graph.value_info[:]
    return copy


def _ordered(graph: GraphProto, dice: random.Random) -> Iterator[NodeProto]:
    """Yield the nodes in a random order in which each stands behind what it reads."""
    made = {name for node in graph.node for name in node.output}
    known, left = set[str](), list(graph.node)
    while left:
        ready = [node for node in left if not (set(_reads(node)) & made) - known]
        node = dice.choice(ready)
        left.remove(node)
        known.update(node.output)
        yield node


def _reads(node: NodeProto) -> Iterator[str]:
    yield from node.input
    for attribute in node.attribute:
        for inner in attribute.g.node:
            yield from _reads(inner)


def _rename(graph: GraphProto, called: Callable[[str], str]) -> None:
    for part in (*graph.initializer, *graph.input, *graph.output):
        part.name = called(part.name)
    for node in graph.node:
        node.name = called(node.name)
        node.input[:], node.output[:] = map(called, node.input), map(called, node.output)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                _rename(attribute.g, called)


def more(model: ModelProto, dice: random.Random) -> tuple[ChangeKind, str] | None:
    """Put an operator behind another."""
    node = dice.choice([node for node in model.graph.node if node.op_type in ("Conv", "MatMul", "Gemm", "Softplus")])
    model.graph.node.insert(
        list(model.graph.node).index(node) + 1, helper.make_node("Softsign", ["new"], [node.output[0]])
    )
    node.output[0] = "new"
    return ChangeKind.ADDED, "Softsign"


def less(model: ModelProto, dice: random.Random) -> tuple[ChangeKind, str] | None:
    """Take an operator out that has one input and one output."""
    ends = {one.name for one in model.graph.output}
    nodes = [
        n
        for n in model.graph.node
        if n.op_type in ("Relu", "Gelu", "Erf", "Softplus", "Softmax") and n.output[0] not in ends
    ]
    if not nodes:
        return None
    gone = dice.choice(nodes)
    model.graph.node.remove(gone)
    called = {gone.output[0]: gone.input[0]}
    for node in model.graph.node:
        node.input[:] = [called.get(name, name) for name in node.input]
        for attribute in node.attribute:
            for inner in attribute.g.node:
                inner.input[:] = [called.get(name, name) for name in inner.input]
    return ChangeKind.REMOVED, gone.op_type


def attribute(model: ModelProto, dice: random.Random) -> tuple[ChangeKind, str] | None:
    """Change one number of an attribute."""
    inner = [one for node in model.graph.node for a in node.attribute for one in a.g.node]
    found = [
        (n, a)
        for n in (*model.graph.node, *inner)
        for a in n.attribute
        if n.op_type != "Constant" and a.type in (1, 2, 7)
    ]
    if not found:
        return None
    node, one = dice.choice(found)
    if one.type == onnx.AttributeProto.FLOAT:
        one.f += 0.25
    elif one.type == onnx.AttributeProto.INT:
        one.i += 1
    else:
        one.ints[0] += 1
    return ChangeKind.ATTRIBUTE, node.op_type


def _weights(model: ModelProto) -> list[tuple[NodeProto, TensorProto]]:
    """Return float weights that one operator reads, with it."""
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in _reads(node):
            readers.setdefault(name, []).append(node)
    floats = [one for one in model.graph.initializer if one.data_type == TensorProto.FLOAT]
    return [(readers[one.name][0], one) for one in floats if len(readers.get(one.name, ())) == 1]


def one_number(model: ModelProto, dice: random.Random) -> tuple[ChangeKind, str] | None:
    """Move one number of one weight by one part in a thousand."""
    node, tensor = dice.choice(_weights(model))
    array = np.array(numpy_helper.to_array(tensor))
    flat = array.reshape(-1)
    flat[dice.randrange(flat.size)] += np.float32(1e-3)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return ChangeKind.WEIGHT, node.op_type


def a_weight(model: ModelProto, dice: random.Random) -> tuple[ChangeKind, str] | None:
    """Scale a whole weight."""
    node, tensor = dice.choice(_weights(model))
    array = numpy_helper.to_array(tensor) * np.float32(1.01) + np.float32(0.01)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return ChangeKind.WEIGHT, node.op_type


def half(model: ModelProto, dice: random.Random) -> tuple[ChangeKind, str] | None:
    """Store a weight in half precision, widened where it is used."""
    node, tensor = dice.choice(_weights(model))
    name = tensor.name
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{name} half"))
    model.graph.node.insert(0, helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    return ChangeKind.PRECISION, node.op_type


def _end(model: ModelProto, side: str) -> tuple[ChangeKind, str]:
    value = getattr(model.graph, side)[0]
    old, value.name = value.name, "other"
    for node in model.graph.node:
        node.input[:] = ["other" if name == old else name for name in node.input]
        node.output[:] = ["other" if name == old else name for name in node.output]
    return ChangeKind.RENAMED, side


def called_input(model: ModelProto, dice: random.Random) -> tuple[ChangeKind, str] | None:
    """Call the first input otherwise."""
    return _end(model, "input")


def called_output(model: ModelProto, dice: random.Random) -> tuple[ChangeKind, str] | None:
    """Call the first output otherwise."""
    return _end(model, "output")


def connection(model: ModelProto, dice: random.Random) -> tuple[ChangeKind, str] | None:
    """Have an operator of two computed inputs read them the other way round."""
    made = {name for node in model.graph.node if node.op_type != "Constant" for name in node.output}
    nodes = [n for n in model.graph.node if len(n.input) == 2 and set(n.input) <= made and n.input[0] != n.input[1]]
    if not nodes:
        return None
    node = dice.choice(nodes)
    node.input[:] = list(reversed(node.input))
    return ChangeKind.CONNECTION, node.op_type


PLANTS: dict[str, Plant] = {
    "an operator more": more,
    "an operator less": less,
    "an attribute": attribute,
    "one number of a weight": one_number,
    "a whole weight": a_weight,
    "half precision": half,
    "an input's name": called_input,
    "an output's name": called_output,
    "a connection": connection,
}


def right(found: Difference, kind: ChangeKind, operator: str) -> bool:
    """Say whether the planted change is what is named, and nothing else is."""
    named: set[tuple[Any, str]] = {(one.kind, one.operator) for one in found.changes}
    twice = kind is ChangeKind.CONNECTION
    return named == {(kind, operator)} and not found.same and len(found.changes) == (2 if twice else 1)


def measure(seed: int) -> dict[str, Any]:
    """Plant every change in every model, and hold every model against itself under other names."""
    rows, clean, dice = list[dict[str, Any]](), list[bool](), random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models(Path(folder)):
            alike = difference(model, renamed(model, dice))
            clean.append(alike.same and not alike.changes)
            rows += [row for title, plant in PLANTS.items() if (row := planted(name, model, title, plant, dice))]
    return {
        "seed": seed,
        "planted": len(rows),
        "named": sum(row["named"] for row in rows),
        "renamed_only": len(clean),
        "no_change": sum(clean),
        "rows": rows,
    }


def planted(name: str, model: ModelProto, title: str, plant: Plant, dice: random.Random) -> dict[str, Any] | None:
    """Plant one change and say whether it was named; None where the model has no place for it."""
    changed = ModelProto()
    changed.CopyFrom(model)
    expected = plant(changed, dice)
    if expected is None:
        return None
    other, started = renamed(changed, dice), time.perf_counter()
    found = difference(model, other)
    seconds = round(time.perf_counter() - started, 3)
    told: list[Change] = list(found.changes[:3])
    named = right(found, *expected)
    return {"model": name, "plant": title, "named": named, "seconds": seconds, "told": [one.sentence for one in told]}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 0)))
