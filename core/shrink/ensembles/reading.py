"""Reads the three tree operators of ai.onnx.ml into a forest and what is done with its sums (Operators-ml.md of onnx)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.domain.errors import Refused, first_line
from core.onnx.typing import ModelProto, NodeProto
from core.shrink.ensembles import OPERATORS, without_trees
from core.shrink.ensembles.forest import MODES, Ask, Asked, Key, Leaf, Real, SharedForest

AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")
TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
"""In the order of their numbers in ai.onnx.ml 5."""

Labels = tuple[int, ...] | tuple[str, ...]
Held = dict[str, Any]
"""The attributes of an operator."""


@dataclass(frozen=True)
class Ensemble:
    """One operator: its trees, what becomes of their sums, and the numbers' type in the file (float32 or float64)."""

    operator: str
    forest: SharedForest
    targets: int
    aggregate: str
    transform: str
    base: tuple[float, ...]
    labels: Labels
    dtype: Real

    @property
    def binary(self) -> bool:
        """Say whether one sum stands for two classes."""
        return len(self.labels) == 2 and len(self.reached) == 1

    @property
    def reached(self) -> set[int]:
        """The targets that some leaf adds to."""
        leaves = (self.forest.parts[place] for place in self.forest.used())
        return {target for leaf in leaves if isinstance(leaf, Leaf) for target, _ in leaf.weights}


Found = list[tuple[NodeProto, Ensemble]]


def needed(model: ModelProto) -> list[NodeProto]:
    """Return the tree operators of the main graph. Raises Refused where there is none."""
    found = [node for node in model.graph.node if node.domain == "ai.onnx.ml" and node.op_type in OPERATORS]
    if not found and (trouble := without_trees(())):
        raise Refused(trouble.message, trouble.next_step)
    return found


def read(node: NodeProto) -> Ensemble:
    """Read one operator. Raises Refused for questions about sets, and for trees that are none."""
    from onnx import helper

    held = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    try:
        return _newest(held) if node.op_type == "TreeEnsemble" else _older(node.op_type, held)
    except (KeyError, IndexError, ValueError) as error:
        raise Refused(f"The trees of this file are broken: {first_line(error)}.", "Export the model again.") from None


def _older(operator: str, held: Held) -> Ensemble:
    """Read versions 1 to 3, whose nodes are named by tree and number."""
    kind = "class" if operator == "TreeEnsembleClassifier" else "target"
    weights, wide = _numbers(held, f"{kind}_weights")
    bounds, _ = _numbers(held, "nodes_values")
    ends: dict[Key, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    named = zip(held[f"{kind}_treeids"], held[f"{kind}_nodeids"], held[f"{kind}_ids"], weights, strict=True)
    for tree, number, target, weight in named:
        ends[tree, number][target] += float(weight)
    trees, modes = held["nodes_treeids"], [mode.decode() for mode in held["nodes_modes"]]
    rows = {key: row for row, key in enumerate(zip(trees, held["nodes_nodeids"], strict=True))}
    missing = held.get("nodes_missing_value_tracks_true") or [0] * len(trees)

    def ask(key: Key) -> Asked:
        row = rows[key]
        if modes[row] == "LEAF":
            return Leaf(tuple(sorted(ends[key].items())))
        sides = ((key[0], held[f"nodes_{side}nodeids"][row]) for side in ("true", "false"))
        return held["nodes_featureids"][row], _mode(modes[row]), float(bounds[row]), bool(missing[row]), *sides

    firsts = [row for row in range(len(trees)) if row == 0 or trees[row] != trees[row - 1]]
    labels = _labels(held)
    return Ensemble(
        operator,
        _grown([(trees[row], held["nodes_nodeids"][row]) for row in firsts], ask),
        len(labels) or held.get("n_targets", 1),
        held.get("aggregate_function", b"SUM").decode(),
        held.get("post_transform", b"NONE").decode(),
        tuple(float(one) for one in _numbers(held, "base_values")[0]),
        labels,
        np.float64 if wide else np.float32,
    )


def _newest(held: Held) -> Ensemble:
    """Read version 5, whose nodes and leaves are places in tables."""
    from onnx import numpy_helper

    splits, modes, weights = (
        numpy_helper.to_array(held[name]) for name in ("nodes_splits", "nodes_modes", "leaf_weights")
    )
    ends = {name: held[f"nodes_{name}leafs"] for name in ("true", "false")}
    missing = held.get("nodes_missing_value_tracks_true") or [0] * len(modes)

    def ask(key: Key) -> Asked:
        is_leaf, row = key
        if is_leaf:
            return Leaf(((held["leaf_targetids"][row], float(weights[row])),))
        sides = ((ends[side][row], held[f"nodes_{side}nodeids"][row]) for side in ("true", "false"))
        mode = MODES[modes[row]] if modes[row] < len(MODES) else "BRANCH_MEMBER"
        return held["nodes_featureids"][row], _mode(mode), float(splits[row]), bool(missing[row]), *sides

    return Ensemble(
        "TreeEnsemble",
        _grown([(0, row) for row in held["tree_roots"]], ask),
        held["n_targets"],
        AGGREGATES[held.get("aggregate_function", 1)],
        TRANSFORMS[held.get("post_transform", 0)],
        (),
        (),
        splits.dtype.type,
    )


def _grown(roots: list[Key], ask: Ask) -> SharedForest:
    forest, done = SharedForest(), dict[Key, int]()
    forest.roots = [forest.grow(root, ask, done) for root in roots]
    return forest


def _mode(name: str) -> str:
    if name not in MODES:
        raise Refused(f"Trees that compare by {name} cannot be pruned.", "Keep this model as it is.")
    return name


def _numbers(held: Held, name: str) -> tuple[Sequence[float] | np.ndarray, bool]:
    """Return an attribute of floats, and whether it is a tensor of float64."""
    from onnx import numpy_helper

    if f"{name}_as_tensor" not in held:
        return held.get(name, ()), False
    array = numpy_helper.to_array(held[f"{name}_as_tensor"])
    return array, array.dtype == np.float64


def _labels(held: Held) -> Labels:
    return tuple(held.get("classlabels_int64s") or [text.decode() for text in held.get("classlabels_strings") or ()])
