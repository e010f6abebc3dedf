"""Puts simpler trees into a model: as version 5 of the operator where it answers the same, as its own version otherwise."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from core.domain.errors import Refused
from core.onnx import calibration
from core.onnx.files import lowest_ir, serialised
from core.onnx.integers import finish
from core.onnx.names import FreshNames
from core.onnx.typing import FloatArray, ModelProto, NodeProto, TensorProto
from core.onnx.weights import copied
from core.shrink.ensembles import writing
from core.shrink.ensembles.forest import Leaf, Part, SharedForest, Split, mapped
from core.shrink.ensembles.reading import Ensemble, Found, Labels

Parts = tuple[list[NodeProto], list[TensorProto]]
"""Nodes and the constants that they read."""
Sums = tuple[list[NodeProto], list[TensorProto], str]
"""The same, and the name of the sums."""
NEWEST, KEPT = "newest", "kept"
ROWS = 512
"""Made-up rows that a new operator must answer like the old one."""
CLOSE = 1e-5
TIES = 0.01
GAPS = 0.02
"""Share of missing values in them."""


def settled(ensemble: Ensemble) -> Ensemble:
    """Add trees of one leaf to the base, where the answer is a sum and a base is known to be added to each target."""
    forest = ensemble.forest
    plain = ensemble.aggregate == "SUM" and ensemble.operator != "TreeEnsemble" and not ensemble.binary
    alone = [root for root in forest.roots if isinstance(forest.parts[root], Leaf)]
    if not plain or not alone or len(alone) == len(forest.roots):
        return ensemble
    base = np.zeros(ensemble.targets)
    base[: len(ensemble.base)] += ensemble.base
    for leaf in (forest.parts[root] for root in alone):
        for target, weight in leaf.weights if isinstance(leaf, Leaf) else ():
            base[target] += weight
    kept = SharedForest(forest.parts, [root for root in forest.roots if root not in set(alone)], forest._known)
    return replace(ensemble, forest=kept, base=tuple(np.asarray(base, ensemble.dtype).tolist()))


def write(model: ModelProto, found: Found, source: Path, out: Path, operator: str) -> None:
    """Write the model with new trees. Raises Refused where the file does not shrink, or the trees cannot be written."""
    finish(smallest(model, found, operator), source, out)


def smallest(model: ModelProto, found: Found, operator: str) -> ModelProto:
    """Return a model with new trees: as version 5 of the operator where that is wanted and smaller, as its own otherwise."""
    settled_ = [(node, settled(one)) for node, one in found]
    made = []
    for newest in (False, True) if operator == NEWEST else (False,):
        copy = copied(model)
        made += [copy] if put(copy, settled_, newest) else []
    if not made:
        raise Refused("The trees cannot be rewritten without changing their answers.", "Keep this model as it is.")
    return min(made, key=lambda one: len(serialised(one)))


def put(model: ModelProto, found: Found, newest: bool) -> bool:
    """Replace each operator by its ensemble, as version 5 where ``newest``; False, and nothing done, where that cannot say the same."""
    fresh = FreshNames.of(model)
    made = [_newer(model, node, one, fresh) if newest else ([writing.instead(node, one)], []) for node, one in found]
    for pair, (node, one) in zip(made, found, strict=True):
        if pair is None or not alike(model, [writing.instead(node, one)], *pair, one):
            return False
    for (node, _), pair in zip(found, made, strict=True):
        place = [one.output[:] for one in model.graph.node].index(node.output[:])
        rest = list(model.graph.node)
        del model.graph.node[:]
        model.graph.node.extend([*rest[:place], *(pair or ([], []))[0], *rest[place + 1 :]])
        model.graph.initializer.extend((pair or ([], []))[1])
    if newest:
        _raise_version(model)
    return True


def _newer(model: ModelProto, node: NodeProto, ensemble: Ensemble, fresh: FreshNames) -> Parts | None:
    """Return nodes and constants around a TreeEnsemble that stand for an operator, or None where there are none."""
    wide = ensemble.dtype == np.float64 or not _is_float32(model, node.input[0])
    leaves = (part for part in ensemble.forest.parts if isinstance(part, Leaf))
    if wide or any(len(leaf.weights) > 1 for leaf in leaves):
        return None
    if ensemble.binary:
        return _binary(node, ensemble, fresh)
    nodes, constants, sums = _sums(node.input[0], ensemble, fresh)
    turned = {"NONE": "Identity", "SOFTMAX": "Softmax", "LOGISTIC": "Sigmoid"}.get(ensemble.transform)
    if turned is None:
        return None
    if ensemble.labels:
        return _classified(node, ensemble, fresh, turned, (nodes, constants, sums))
    if turned == "Identity":
        nodes[-1].output[0] = node.output[0]
        return nodes, constants
    return [*nodes, _turned(turned, sums, node.output[0])], constants


def _classified(node: NodeProto, ensemble: Ensemble, fresh: FreshNames, turned: str, sums: Sums) -> Parts:
    """Return nodes and constants with those for label and scores behind them, as far as they have a name."""
    nodes, constants, scores = sums
    label, answer = (*node.output, "")[:2]
    nodes = [*nodes, _turned(turned, scores, answer)] if answer else nodes
    if not label:
        return nodes, constants
    best = fresh.short()
    nodes = [*nodes, _node("ArgMax", [scores], best, axis=1, keepdims=0)]
    return nodes, constants + _named(nodes, best, label, ensemble.labels, fresh)


def _turned(kind: str, sums: str, answer: str) -> NodeProto:
    return _node(kind, [sums], answer, axis=1 if kind == "Softmax" else None)


def _on_first(place: int, part: Part) -> Part:
    return Leaf(tuple((0, weight) for _, weight in part.weights)) if isinstance(part, Leaf) else part


def _binary(node: NodeProto, ensemble: Ensemble, fresh: FreshNames) -> Parts | None:
    """Return what stands for one sum over two classes, which is logistic and parts at zero where some leaf is negative."""
    if ensemble.transform != "LOGISTIC" or len(ensemble.base) > 1:
        return None
    single = replace(ensemble, forest=mapped(ensemble.forest, _on_first), targets=1)
    nodes, constants, sums = _sums(node.input[0], single, fresh)
    other, both = fresh.short(), fresh.short()
    nodes += [_node("Neg", [sums], other), _node("Concat", [other, sums], both, axis=1)]
    return _classified(node, ensemble, fresh, "Sigmoid", (nodes, constants, both))


def _sums(x: str, ensemble: Ensemble, fresh: FreshNames) -> Sums:
    """Return nodes and constants that add up leaves and base, and the name of the sums."""
    from onnx import numpy_helper

    sums = fresh.short()
    nodes = [writing.newest(ensemble, x, sums)]
    if not any(ensemble.base):
        return nodes, [], sums
    base, total = fresh.short(), fresh.short()
    constant = numpy_helper.from_array(np.array([ensemble.base], np.float32), base)
    return [*nodes, _node("Add", [sums, base], total)], [constant], total


def _named(nodes: list[NodeProto], best: str, label: str, labels: Labels, fresh: FreshNames) -> list[TensorProto]:
    """Add the node that turns the place of a class into its label, and return the constants for it."""
    from onnx import numpy_helper

    if labels == tuple(range(len(labels))):
        nodes[-1].output[0] = label
        return []
    table = fresh.short()
    nodes.append(_node("Gather", [table, best], label))
    texts = isinstance(labels[0], str)
    return [numpy_helper.from_array(np.array(labels, object if texts else np.int64), table)]


def _node(kind: str, inputs: list[str], output: str, axis: int | None = None, keepdims: int | None = None) -> NodeProto:
    from onnx import helper

    return helper.make_node(kind, inputs, [output], axis=axis, keepdims=keepdims)


def _is_float32(model: ModelProto, name: str) -> bool:
    import onnx

    try:
        known = onnx.shape_inference.infer_shapes(model).graph
    except Exception:
        known = model.graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in (*known.input, *known.value_info)}
    return bool(kinds.get(name) == onnx.TensorProto.FLOAT)


def _raise_version(model: ModelProto) -> None:
    from onnx import helper

    for entry in [entry for entry in model.opset_import if entry.domain == "ai.onnx.ml"]:
        entry.version = max(5, entry.version)
    if not any(entry.domain in ("", "ai.onnx") for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid("", 17))
    model.ir_version = max(model.ir_version, 8, lowest_ir(model))


def alike(
    model: ModelProto, old: list[NodeProto], new: list[NodeProto], constants: list[TensorProto], ensemble: Ensemble
) -> bool:
    """Say whether new nodes answer made-up rows around the bounds of an ensemble as the old ones do."""
    rows = made_up(ensemble)
    first, second = (answers(model, nodes, held, rows) for nodes, held in ((old, []), (new, constants)))
    return all(_same(one, two) for one, two in zip(first, second, strict=True))


def answers(
    model: ModelProto, nodes: list[NodeProto], constants: list[TensorProto], rows: FloatArray
) -> list[np.ndarray]:
    """Run tree nodes alone on rows [n, features]; return label and scores, or values, by the order of their names."""
    import onnx
    from onnx import helper

    kind = helper.np_dtype_to_tensor_dtype(rows.dtype)
    given = helper.make_tensor_value_info(nodes[0].input[0], kind, [None, rows.shape[1]])
    made = {name for node in nodes for name in node.output if name} - {n for node in nodes for n in node.input}
    outputs = [helper.make_empty_tensor_value_info(name) for name in sorted(made)]
    version = 5 if nodes[0].op_type == "TreeEnsemble" else 3
    sets = [one for one in model.opset_import if one.domain in ("", "ai.onnx")] or [helper.make_opsetid("", 17)]
    graph = helper.make_graph(nodes, "trees", [given], outputs, constants)
    alone = onnx.helper.make_model(graph, opset_imports=[*sets, helper.make_opsetid("ai.onnx.ml", version)])
    alone.ir_version = max(8, min(model.ir_version, 13))
    return list(calibration.session(alone.SerializeToString(), "all").run(None, {nodes[0].input[0]: rows}))


def made_up(ensemble: Ensemble) -> FloatArray:
    """Return rows [n, features] of numbers on, just below and just above the bounds, and a few missing ones."""
    rng, dtype = np.random.default_rng(0), ensemble.dtype
    splits = [part for part in ensemble.forest.parts if isinstance(part, Split)]
    rows = np.zeros((ROWS, 1 + max((split.feature for split in splits), default=0)), dtype)
    bounds: dict[int, list[float]] = {}
    for split in splits:
        bounds.setdefault(split.feature, []).append(split.bound)
    for feature, values in bounds.items():
        drawn = rng.choice(np.array(values, dtype), ROWS)
        towards = rng.choice([-np.inf, np.inf], ROWS).astype(dtype)
        rows[:, feature] = np.where(rng.random(ROWS) < 1 / 3, drawn, np.nextafter(drawn, towards))
    rows[rng.random(rows.shape) < GAPS] = np.nan
    return rows


def _same(one: np.ndarray, two: np.ndarray) -> bool:
    """Say whether numbers are as close as another order of their sum explains, and nearly all labels the same: some stand on a tie."""
    if one.shape != two.shape or one.dtype != two.dtype:
        return False
    if one.dtype.kind != "f":
        return bool(float(np.mean(one == two)) > 1 - TIES)
    scale = 1 + float(np.abs(one).max(initial=0.0))
    return bool(np.allclose(one, two, rtol=CLOSE, atol=CLOSE * scale, equal_nan=True))
