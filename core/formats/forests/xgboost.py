"""XGBoost's model file, JSON or UBJSON: one document, read and checked without XGBoost.

The document's parts are described in XGBoost's ``doc/model.schema``; a base score is stored as the objective answers it.
"""

import json
import math
from array import array
from collections.abc import Sequence
from pathlib import Path
from types import UnionType
from typing import Any

from core.domain.errors import Refused, first_line
from core.formats.anatomy.findings import JsonObject
from core.formats.forests import LEAF, BoostedTrees, Tree, check_tree, content, refuse_size, ubjson

MAX_FEATURES = 10_000_000
MAX_CLASSES = 100_000
MAX_CATEGORY = 1 << 24
"""The largest category that XGBoost takes."""
AGAIN = "Save the model again with save_model('model.json')."
LINKS = {
    "binary:logistic": "sigmoid",
    "reg:logistic": "sigmoid",
    "multi:softprob": "softmax",
    "multi:softmax": "softmax",
    **dict.fromkeys(("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft"), "exp"),
    **dict.fromkeys(
        ("reg:squarederror", "reg:squaredlogerror", "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror"),
        "identity",
    ),
    **dict.fromkeys(("rank:ndcg", "rank:map", "rank:pairwise", "binary:logitraw", "reg:linear"), "identity"),
}
"""What each objective makes of the sum of the leaves."""


def document(path: Path) -> JsonObject:
    """Return the file's document. Raises Refused when it is too large, broken, or describes no model."""
    data = content(path)
    document = ubjson.parse(data) if _is_binary(data) else _json(data)
    for part in ("learner_model_param", "gradient_booster", "objective"):
        _table(_table(document, "learner"), part)
    return dict(document)


def forest(path: Path) -> BoostedTrees:
    """Return the trees. Raises Refused when a number is out of bounds, or the booster has no trees."""
    return forest_of(document(path))


def forest_of(document: JsonObject) -> BoostedTrees:
    """Return the trees of a document that has been read."""
    learner = document["learner"]
    settings, model = learner["learner_model_param"], _model(learner["gradient_booster"])
    features = _number(settings, "num_feature", MAX_FEATURES)
    classes = _number(settings, "num_class", MAX_CLASSES)
    targets = max(1, classes, _number(settings, "num_target", MAX_CLASSES) if "num_target" in settings else 1)
    trees, rounds = _trees(model, features, targets, _weights(learner)), _rounds(learner)
    objective = str(_table(learner, "objective").get("name", ""))[:60]
    names = learner.get("feature_names", [])
    return BoostedTrees(
        features=features,
        targets=targets,
        trees=_used(trees, model, rounds),
        base=_base(settings, objective, targets),
        link=LINKS.get(objective, "unknown"),
        classes=classes if classes > 1 else 2 if objective == "binary:logistic" else 0,
        dtype="float32",
        equal_left=False,
        objective=objective,
        names=tuple(str(name)[:200] for name in names) if isinstance(names, list) and len(names) == features else (),
        notes={"trees": len(trees), "best_iteration": rounds - 1 if rounds else None},
    )


def version(document: JsonObject) -> str:
    """Return the version of XGBoost that wrote the file, or nothing."""
    found = document.get("version")
    parts = found if isinstance(found, list | array) else []
    return ".".join(str(part) for part in parts[:3] if type(part) is int)[:40]


def booster(document: JsonObject) -> str:
    """Return the kind of booster: gbtree, dart or gblinear."""
    return str(_table(document["learner"], "gradient_booster").get("name"))[:20]


def _rounds(learner: JsonObject) -> int:
    """Return how many rounds the scikit-learn wrapper uses after it stopped early; 0 means all of them."""
    attributes = learner.get("attributes")
    if not isinstance(attributes, dict) or "scikit_learn" not in attributes:
        return 0
    best = str(attributes.get("best_iteration", ""))
    return int(best) + 1 if best.isdecimal() and len(best) < 9 else 0


def _used(trees: tuple[Tree, ...], model: JsonObject, rounds: int) -> tuple[Tree, ...]:
    if not rounds or "iteration_indptr" not in model:
        return trees
    ends = _list(model, "iteration_indptr", int)
    if rounds >= len(ends) or not 0 < ends[rounds] <= len(trees):
        return trees
    return trees[: ends[rounds]]


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except RecursionError:
        raise Refused("The file is nested more deeply than any model.", AGAIN) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise Refused(f"The file is not complete JSON ({first_line(error)[:80]}).", AGAIN) from None


def _is_binary(data: bytes) -> bool:
    # In UBJSON the marker of the first key's length follows the brace, in JSON a quote or space.
    return data[:1] == b"{" and data[1:2] in (b"i", b"U", b"I", b"l", b"L")


def _model(booster: JsonObject) -> JsonObject:
    kind = booster.get("name")
    if kind == "gblinear":
        raise Refused(
            "The model is linear (booster gblinear): it has no trees.",
            "Fit scikit-learn's LogisticRegression or LinearRegression instead, and save it with skops.",
        )
    if kind not in ("gbtree", "dart"):
        raise Refused(f"The booster {str(kind)[:40]!r} is not supported; gbtree and dart are.", AGAIN)
    return _table(_table(booster, "gbtree") if kind == "dart" else booster, "model")


def _weights(learner: JsonObject) -> Sequence[float] | None:
    """Return the weight of each tree, which only a dart booster has."""
    booster = learner["gradient_booster"]
    if booster.get("name") != "dart":
        return None
    found: Sequence[float] = _list(booster, "weight_drop", int | float)
    return found


def _trees(model: JsonObject, features: int, targets: int, weights: Sequence[float] | None) -> tuple[Tree, ...]:
    listed = model.get("trees")
    groups = _list(model, "tree_info", int)
    if not isinstance(listed, list) or not listed:
        raise Refused("The file contains settings but no trees.", "Train the model, and save it with save_model.")
    if len(groups) != len(listed) or (weights is not None and len(weights) != len(listed)):
        raise Refused(f"The file lists {len(listed)} trees, but a different number of their positions.", AGAIN)
    if not all(0 <= group < targets for group in groups):
        raise Refused(f"A tree adds to an answer beyond the {targets} answers of the model.", AGAIN)
    refuse_size(sum(len(entry.get("left_children", ())) for entry in listed if isinstance(entry, dict)))
    return tuple(
        _tree(entry, number, features, groups[number], 1.0 if weights is None else float(weights[number]))
        for number, entry in enumerate(listed)
    )


def _tree(entry: object, number: int, features: int, target: int, weight: float) -> Tree:
    where = f"Tree {number}"
    if not isinstance(entry, dict):
        raise Refused(f"{where} is not a table.", AGAIN)
    if _number(_table(entry, "tree_param"), "size_leaf_vector", MAX_CLASSES) > 1:
        raise Refused(
            "The leaves contain lists of answers (multi_strategy='multi_output_tree').",
            "Train with multi_strategy='one_output_per_tree'.",
        )
    left, right = _list(entry, "left_children", int), _list(entry, "right_children", int)
    conditions = _list(entry, "split_conditions", int | float)
    feature = _list(entry, "split_indices", int)
    missing = _list(entry, "default_left", int)
    if {len(right), len(conditions), len(feature), len(missing)} != {len(left)}:
        raise Refused(f"The lists of {where.lower()} differ in length.", AGAIN)
    # The condition of a leaf is its value.
    values = [weight * v if child == LEAF else 0.0 for v, child in zip(conditions, left, strict=True)]
    # XGBoost compares float32; rounding the decimals of the JSON gives its bits back.
    bounds = array("f", conditions)
    found = Tree(feature, bounds, left, right, [bool(m) for m in missing], values, target, _sets(entry, len(left)))
    check_tree(found, features, where)
    _check_parents(_list(entry, "parents", int), found, where)
    return found


def _check_parents(parents: list[Any], tree: Tree, where: str) -> None:
    """Refuse nodes that name another parent than the split that leads to them; XGBoost follows both ways unchecked."""
    if len(parents) != len(tree.left):
        raise Refused(f"The lists of {where.lower()} differ in length.", AGAIN)
    if any(parents[child] != place for place in tree.splits() for child in (tree.left[place], tree.right[place])):
        raise Refused(f"{where} names parents that are none.", AGAIN)


def _sets(entry: JsonObject, count: int) -> dict[int, tuple[int, ...]]:
    """Return the categories that go right, by the place of their split."""
    if not entry.get("categories_nodes"):
        return {}
    values = _list(entry, "categories", int)
    nodes, starts = _list(entry, "categories_nodes", int), _list(entry, "categories_segments", int)
    sizes = _list(entry, "categories_sizes", int)
    fits = len(nodes) == len(starts) == len(sizes) and all(0 <= value < MAX_CATEGORY for value in values)
    ends = [start + size for start, size in zip(starts, sizes, strict=False)]
    if not fits or any(s < 0 or n < 0 or s + n > len(values) for s, n in zip(starts, sizes, strict=True)):
        raise Refused("The categories of a split are outside their list.", AGAIN)
    if not all(0 <= node < count for node in nodes) or sum(sizes) > len(values):
        raise Refused("Categories are given for a split that does not exist.", AGAIN)
    return {node: tuple(values[s:e]) for node, s, e in zip(nodes, starts, ends, strict=True)}


def _base(settings: JsonObject, objective: str, targets: int) -> tuple[float, ...]:
    """Return what the sum starts from, per target, before the link."""
    # One number, or a list of one for each target, depending on the version that wrote it.
    text = str(settings.get("base_score", "0.5")).strip("[] ")
    try:
        scores = [float(part) for part in text.split(",")] if len(text) < 32 * MAX_CLASSES else []
        margins = [_margin(score, objective) for score in scores]
    except (ValueError, ZeroDivisionError, OverflowError):
        raise Refused(f"The base score {text[:40]!r} cannot be read.", AGAIN) from None
    if len(margins) not in (1, targets):
        raise Refused(f"The file gives {len(margins)} base scores for {targets} answers.", AGAIN)
    return tuple(margins * targets if len(margins) == 1 else margins)


def _margin(score: float, objective: str) -> float:
    link = LINKS.get(objective)
    if link == "sigmoid":
        return -math.log(1 / score - 1)
    return math.log(score) if link == "exp" else score


def _table(value: object, name: str) -> JsonObject:
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, dict):
        raise Refused(f"The file has no {name!r}, so it is not an XGBoost model.", AGAIN)
    return found


def _number(settings: JsonObject, name: str, most: int) -> int:
    text = str(settings.get(name, "0"))
    if not text.isdecimal() or len(text) > 12 or int(text) > most:
        raise Refused(f"The file says {text[:20]!r} for {name}, which is not valid.", AGAIN)
    return int(text)


def _list(entry: JsonObject, name: str, kind: type | UnionType) -> list[Any]:
    """Return a list of numbers, from JSON or from UBJSON."""
    found = entry.get(name)
    if isinstance(found, array) and (kind is not int or found.typecode not in "fd"):
        return found.tolist()
    if isinstance(found, list) and all(isinstance(item, kind) for item in found):
        return found
    raise Refused(f"The list {name} of the model is missing or has the wrong content.", AGAIN)
