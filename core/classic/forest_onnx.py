"""A forest as ONNX: one TreeEnsembleRegressor that adds up the leaves, and plain operators for categories, missing zeros and the answer.

A split by category becomes a column of its own that is 1 where the category is in the set: trees of ``ai.onnx.ml`` 3
compare numbers and nothing else. In float64 the thresholds stay what they are; in float32 they are rounded so that
float32 samples part in the same way.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.domain.errors import Refused
from core.formats.forests import LEAF, BoostedTrees, Tree
from core.libraries.sklearn.columns import rounded_down
from core.onnx.files import lowest_ir

ZERO = 1e-35
"""LightGBM's ``kZeroThreshold``: what is closer to zero is zero."""
NO_LINK = "Train with one of the library's own objectives, or convert the raw scores yourself."


@dataclass
class Graph:
    """Nodes and weights so far; ``dtype`` is the NumPy type of the numbers before the trees."""

    dtype: Any
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)

    def add(self, kind: str, inputs: list[str], out: str = "", domain: str = "", **attributes: Any) -> str:
        """Add an operator and return the name of its answer."""
        from onnx import helper

        name = out or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(kind, inputs, [name], name=f"{kind}_{len(self.nodes)}", domain=domain, **attributes)
        )
        return name

    def weight(self, values: Any, dtype: Any = None) -> str:
        """Add a constant, in the type before the trees unless told otherwise, and return its name."""
        from onnx import numpy_helper

        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, dtype or self.dtype), name))
        return name


def model(forest: BoostedTrees, opset: int, precision: str) -> Any:
    """Return the ONNX model: ``X`` [batch, features] to label and probabilities [batch, classes], or variable [batch, targets].

    Raises Refused for an objective whose link is not known.
    """
    from onnx import TensorProto, helper

    if forest.link == "unknown":
        raise Refused(f"The objective {forest.objective!r} has no supported ONNX form.", NO_LINK)
    kind = TensorProto.DOUBLE if precision == "float64" else TensorProto.FLOAT
    graph = Graph(np.dtype(precision))
    columns, places = _prepared(graph, forest)
    sums = _summed(graph, forest, columns, places)
    outputs = _answered(graph, forest, sums)
    body = helper.make_graph(
        graph.nodes,
        "forest",
        [helper.make_tensor_value_info("X", kind, ["batch", forest.features])],
        outputs,
        graph.weights,
    )
    sets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    made = helper.make_model(body, opset_imports=sets, producer_name="portolan")
    made.ir_version = max(8, lowest_ir(made))
    return made


def _prepared(graph: Graph, forest: BoostedTrees) -> tuple[str, dict[tuple[int, tuple[int, ...]], int]]:
    """Make missing what counts as missing, append a column per set of categories, and return the table's name and the new places."""
    name = _without_zeros(graph, forest) if forest.zero_missing else "X"
    wanted = [
        (int(tree.feature[place]), tree.categories[place])
        for tree in forest.trees
        for place in tree.splits()
        if place in tree.categories
    ]
    places = {pair: forest.features + n for n, pair in enumerate(dict.fromkeys(wanted))}
    return (_with_sets(graph, forest, name, list(places)) if places else name), places


def _without_zeros(graph: Graph, forest: BoostedTrees) -> str:
    chosen = np.isin(np.arange(forest.features), list(forest.zero_missing)).reshape(1, -1)
    near = graph.add("LessOrEqual", [graph.add("Abs", ["X"]), graph.weight(ZERO)])
    both = graph.add("And", [near, graph.weight(chosen, bool)])
    return graph.add("Where", [both, graph.weight(np.nan), "X"])


def _with_sets(graph: Graph, forest: BoostedTrees, name: str, pairs: list[tuple[int, tuple[int, ...]]]) -> str:
    """Compare columns with each category of each set, add up per set, and keep missing numbers missing."""
    # An empty set needs a row too; no category is -1.
    flat = [(place, feature, value) for place, (feature, values) in enumerate(pairs) for value in values or (-1,)]
    owner = np.zeros((len(flat), len(pairs)))
    owner[np.arange(len(flat)), [place for place, _, _ in flat]] = 1
    each = graph.add("Gather", [name, graph.weight([f for _, f, _ in flat], np.int64)], axis=1)
    same = graph.add("Equal", [_whole(graph, forest, each), graph.weight([[v for _, _, v in flat]])])
    kind = 11 if graph.dtype == np.float64 else 1
    inside = graph.add("MatMul", [graph.add("Cast", [same], to=kind), graph.weight(owner)])
    source = graph.add("Gather", [name, graph.weight([f for f, _ in pairs], np.int64)], axis=1)
    kept = graph.add("Where", [graph.add("IsNaN", [source]), source, inside])
    return graph.add("Concat", [name, kept], axis=1)


def _whole(graph: Graph, forest: BoostedTrees, name: str) -> str:
    """Return the category that the engine reads in a number: rounded toward zero, or down where a negative one is none."""
    if not forest.truncates:
        return graph.add("Floor", [name])
    return graph.add("Mul", [graph.add("Sign", [name]), graph.add("Floor", [graph.add("Abs", [name])])])


def _summed(graph: Graph, forest: BoostedTrees, columns: str, places: dict[tuple[int, tuple[int, ...]], int]) -> str:
    """Add up the leaves per target, with the base and the average; float32 [batch, targets]."""
    attributes = _ensemble(
        [_rows(tree, number, forest, places, graph.dtype) for number, tree in enumerate(forest.trees)]
    )
    wide = graph.dtype == np.float64
    total = graph.add(
        "TreeEnsembleRegressor",
        [columns],
        domain="ai.onnx.ml",
        n_targets=forest.targets,
        aggregate_function="SUM",
        post_transform="NONE",
        **(_as_tensors(attributes) if wide else attributes),
    )
    if forest.average > 1:
        total = graph.add("Div", [total, graph.weight(forest.average, np.float32)])
    if any(forest.base):
        total = graph.add("Add", [total, graph.weight([forest.base], np.float32)])
    return total


def _rows(tree: Tree, number: int, forest: BoostedTrees, places: dict[Any, int], dtype: Any) -> dict[str, list[Any]]:
    """Return one tree in the attributes of the operator, its reachable nodes numbered anew."""
    splits = list(tree.splits())
    order = [0, *(child for place in splits for child in (tree.left[place], tree.right[place]))]
    ids = {place: n for n, place in enumerate(order)}
    is_leaf = [tree.left[place] == LEAF for place in order]
    below = "BRANCH_LEQ" if forest.equal_left else "BRANCH_LT"
    leaves = [place for place, leaf in zip(order, is_leaf, strict=True) if leaf]
    return {
        "nodes_treeids": [number] * len(order),
        "nodes_nodeids": list(range(len(order))),
        "nodes_featureids": [0 if leaf else _column(tree, p, places) for p, leaf in zip(order, is_leaf, strict=True)],
        "nodes_modes": ["LEAF" if leaf else below for leaf in is_leaf],
        "nodes_values": _bounds(
            [0.0 if leaf else _bound(tree, p) for p, leaf in zip(order, is_leaf, strict=True)], dtype
        ),
        "nodes_truenodeids": [0 if leaf else ids[tree.left[p]] for p, leaf in zip(order, is_leaf, strict=True)],
        "nodes_falsenodeids": [0 if leaf else ids[tree.right[p]] for p, leaf in zip(order, is_leaf, strict=True)],
        "nodes_missing_value_tracks_true": [
            int(not leaf and tree.missing_left[p]) for p, leaf in zip(order, is_leaf, strict=True)
        ],
        "target_treeids": [number] * len(leaves),
        "target_nodeids": [ids[place] for place in leaves],
        "target_ids": [tree.target] * len(leaves),
        "target_weights": [float(tree.value[place]) for place in leaves],
    }


def _column(tree: Tree, place: int, places: dict[Any, int]) -> int:
    feature = int(tree.feature[place])
    return places[feature, tree.categories[place]] if place in tree.categories else feature


def _bound(tree: Tree, place: int) -> float:
    # Membership is 0 or 1, and 0.5 parts them under either comparison.
    return 0.5 if place in tree.categories else float(tree.threshold[place])


def _bounds(values: list[float], dtype: Any) -> list[float]:
    """Return thresholds in the operator's type; XGBoost's are float32 already, LightGBM's are rounded down."""
    found: list[float] = rounded_down(np.asarray(values)).tolist() if dtype == np.float32 else values
    return found


def _ensemble(rows: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
    return {name: [value for row in rows for value in row[name]] for name in rows[0]}


def _as_tensors(attributes: dict[str, list[Any]]) -> dict[str, Any]:
    """Give thresholds and leaves as float64 tensors, which the operator takes since version 3."""
    from onnx import numpy_helper

    wide = {
        f"{n}_as_tensor": numpy_helper.from_array(np.asarray(attributes[n], np.float64), n)
        for n in ("nodes_values", "target_weights")
    }
    return {name: value for name, value in attributes.items() if f"{name}_as_tensor" not in wide} | wide


def _answered(graph: Graph, forest: BoostedTrees, sums: str) -> list[Any]:
    """Apply the link and return the graph's outputs."""
    from onnx import TensorProto, helper

    if not forest.classes:
        graph.add("Identity", [_linked(graph, forest, sums)], "variable")
        return [helper.make_tensor_value_info("variable", TensorProto.FLOAT, ["batch", forest.targets])]
    scores = _linked(graph, forest, sums)
    if forest.targets == 1:
        rest = graph.add("Sub", [graph.weight(1.0, np.float32), scores])
        graph.add("Concat", [rest, scores], "probabilities", axis=1)
    else:
        graph.add("Identity", [scores], "probabilities")
    best = graph.add("ArgMax", ["probabilities"], "" if forest.labels else "label", axis=1, keepdims=0)
    texts = any(isinstance(name, str) for name in forest.labels)
    if forest.labels:
        graph.add("Gather", [graph.weight(forest.labels, object if texts else np.int64), best], "label")
    return [
        helper.make_tensor_value_info("label", TensorProto.STRING if texts else TensorProto.INT64, ["batch"]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", forest.classes]),
    ]


def _linked(graph: Graph, forest: BoostedTrees, sums: str) -> str:
    scaled = sums if forest.scale == 1 else graph.add("Mul", [sums, graph.weight(forest.scale, np.float32)])
    if forest.link in ("sigmoid", "each_sigmoid"):
        return graph.add("Sigmoid", [scaled])
    if forest.link == "softmax":
        return graph.add("Softmax", [sums], axis=1)
    if forest.link == "exp":
        return graph.add("Exp", [sums])
    if forest.link == "log1p_exp":
        return graph.add("Softplus", [sums])
    if forest.link == "signed_square":
        return graph.add("Mul", [sums, graph.add("Abs", [sums])])
    return sums
