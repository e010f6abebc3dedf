"""Writes a forest as the attributes of a tree operator, in as few bytes as its version allows."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from core.onnx.typing import NodeProto, TensorProto
from core.shrink.ensembles.forest import MODES, Leaf, Real, SharedForest, Split
from core.shrink.ensembles.reading import AGGREGATES, TRANSFORMS, Ensemble

Row = tuple[int, int, int, str, float, int, int, int]
End = tuple[int, int, int, float]


def instead(node: NodeProto, ensemble: Ensemble) -> NodeProto:
    """Return an operator of the node's own version with the trees of ``ensemble``."""
    if node.op_type != "TreeEnsemble":
        return older(node, ensemble)
    made = newest(ensemble, node.input[0], node.output[0])
    next(one for one in made.attribute if one.name == "post_transform").i = TRANSFORMS.index(ensemble.transform)
    return made


def older(node: NodeProto, ensemble: Ensemble) -> NodeProto:
    """Return the operator of versions 1 to 3 with the trees of ``ensemble``; what says nothing is left out."""
    from onnx import helper

    kind = "class" if ensemble.operator == "TreeEnsembleClassifier" else "target"
    rows, ends = _rows(ensemble.forest)
    gaps = [row[5] for row in rows]
    held: dict[str, Sequence[object] | TensorProto] = {
        "nodes_treeids": [row[0] for row in rows],
        "nodes_nodeids": [row[1] for row in rows],
        "nodes_featureids": [row[2] for row in rows],
        "nodes_modes": [row[3] for row in rows],
        **_floats("nodes_values", [row[4] for row in rows], ensemble.dtype),
        "nodes_missing_value_tracks_true": gaps if any(gaps) else [],
        "nodes_truenodeids": [row[6] for row in rows],
        "nodes_falsenodeids": [row[7] for row in rows],
        f"{kind}_treeids": [end[0] for end in ends],
        f"{kind}_nodeids": [end[1] for end in ends],
        f"{kind}_ids": [end[2] for end in ends],
        **_floats(f"{kind}_weights", [end[3] for end in ends], ensemble.dtype),
        **(_floats("base_values", list(ensemble.base), ensemble.dtype) if any(ensemble.base) else {}),
    }
    dropped = ("nodes_hitrates", "nodes_hitrates_as_tensor", "base_values", "base_values_as_tensor", *held)
    made = type(node)()
    made.CopyFrom(node)
    del made.attribute[:]
    made.attribute.extend(one for one in node.attribute if one.name not in dropped)
    made.attribute.extend(
        helper.make_attribute(name, value) for name, value in held.items() if not isinstance(value, list) or value
    )
    made.name = ""
    return made


def newest(ensemble: Ensemble, x: str, y: str) -> NodeProto:
    """Return a TreeEnsemble of version 5 without transform that adds up the leaves of ``ensemble``; each adds to one target."""
    from onnx import helper, numpy_helper

    forest, leaves = ensemble.forest, _leaves(ensemble.forest)
    roots, rows, sides = _spread(forest)
    gaps = [int(row.missing) for row in rows]
    ends = [(forest.parts[place].weights or ((0, 0.0),))[0] for place in leaves]  # type: ignore[union-attr]
    yes, no = ([side[n] for side in sides] for n in (0, 1))
    return helper.make_node(
        "TreeEnsemble",
        [x],
        [y],
        domain="ai.onnx.ml",
        n_targets=ensemble.targets,
        aggregate_function=AGGREGATES.index(ensemble.aggregate),
        post_transform=TRANSFORMS.index("NONE"),
        tree_roots=roots,
        nodes_splits=numpy_helper.from_array(np.array([row.bound for row in rows], ensemble.dtype)),
        nodes_featureids=[row.feature for row in rows],
        nodes_modes=numpy_helper.from_array(np.array([MODES.index(row.mode) for row in rows], np.uint8)),
        nodes_truenodeids=[leaves.get(row.yes, at) for row, at in zip(rows, yes, strict=True)],
        nodes_falsenodeids=[leaves.get(row.no, at) for row, at in zip(rows, no, strict=True)],
        nodes_trueleafs=[int(row.yes in leaves) for row in rows],
        nodes_falseleafs=[int(row.no in leaves) for row in rows],
        leaf_targetids=[target for target, _ in ends],
        leaf_weights=numpy_helper.from_array(np.array([weight for _, weight in ends], ensemble.dtype)),
        nodes_missing_value_tracks_true=gaps if any(gaps) else None,
    )


def _leaves(forest: SharedForest) -> dict[int, int]:
    """Return the new numbers of leaves; those that are named most come first, because small numbers take fewer bytes."""
    used = sorted(forest.used())
    named = Counter(forest.roots)
    for part in (forest.parts[place] for place in used):
        named.update((part.yes, part.no) if isinstance(part, Split) else ())
    leaves = [place for place in used if isinstance(forest.parts[place], Leaf)]
    return {place: n for n, place in enumerate(sorted(leaves, key=lambda place: (-named[place], place)))}


def _spread(forest: SharedForest) -> tuple[list[int], list[Split], list[list[int]]]:
    """Return the roots' rows, a row a split of each tree, and the rows of its sides where they are splits.

    ONNX Runtime takes shared leaves, but neither shared splits nor a tree without one, which becomes a split with equal sides.
    """
    rows: list[Split] = []
    sides: list[list[int]] = []
    roots = []
    for root in forest.roots:
        roots.append(len(rows))
        waiting: list[tuple[int, int, int]] = [(root, -1, 0)]
        while waiting:
            place, above, side = waiting.pop()
            part = forest.parts[place]
            if isinstance(part, Leaf) and above >= 0:
                continue
            if above >= 0:
                sides[above][side] = len(rows)
            if isinstance(part, Leaf):
                part = Split(0, MODES[0], 0.0, False, place, place)
            waiting += [(part.no, len(rows), 1), (part.yes, len(rows), 0)]
            rows.append(part)
            sides.append([0, 0])
    return roots, rows, sides


def _rows(forest: SharedForest) -> tuple[list[Row], list[End]]:
    """Return nodes as (tree, number, feature, mode, bound, missing, yes, no), and what leaves add as (tree, number, target, weight)."""
    rows: list[Row] = []
    ends: list[End] = []
    for tree, root in enumerate(forest.roots):
        waiting, count = [(root, 0)], 1
        while waiting:
            place, number = waiting.pop()
            part = forest.parts[place]
            if isinstance(part, Leaf):
                rows.append((tree, number, 0, "LEAF", 0.0, 0, 0, 0))
                ends += [(tree, number, target, weight) for target, weight in part.weights]
                continue
            rows.append((tree, number, part.feature, part.mode, part.bound, int(part.missing), count, count + 1))
            waiting += [(part.no, count + 1), (part.yes, count)]
            count += 2
    return rows, ends


def _floats(name: str, values: list[float], dtype: Real) -> dict[str, list[float] | TensorProto]:
    """Return numbers as an attribute: a plain one in float32, a tensor in float64."""
    from onnx import numpy_helper

    if dtype == np.float32:
        return {name: values}
    return {f"{name}_as_tensor": numpy_helper.from_array(np.array(values, dtype), name)}
