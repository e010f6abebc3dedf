"""scikit-learn's trees and their sums: what each node asks, and where it sends a missing value."""

from typing import TYPE_CHECKING

import numpy as np

from core.libraries.fitted.columns import Columns, needs
from core.libraries.sklearn import Estimator
from core.scoring.builder import Builder, Grower
from core.scoring.form import AT_MOST, Apply, Const, Expression, Lookup, Ref, Regression

if TYPE_CHECKING:
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
    from sklearn.tree._tree import Tree

Names = tuple[str, ...]


def isolated_tree(model: Estimator, columns: Columns, build: Builder) -> Names:
    """Read one decision tree; its features are compared as float32 with a float64 threshold."""
    return _averaged([model], model, columns, build)


def forest(model: Estimator, columns: Columns, build: Builder) -> Names:
    """Read a forest: the mean of its trees."""
    return _averaged(list(model.estimators_), model, columns, build)


def _averaged(trees: list[Estimator], model: Estimator, columns: Columns, build: Builder) -> Names:
    needs(model.n_outputs_ == 1, f"{type(model).__name__} with several targets")
    grower, classes = Grower(), getattr(model, "classes_", None)
    for tree in trees:
        values = tree.tree_.value[:, 0, :]
        _plant(tree.tree_, values / values.sum(axis=1, keepdims=True) if classes is not None else values, grower)
    names = build.names("predicted" if classes is None else "probability", len(grower.scores[0]))
    return build.add(grower.forest(names, tuple(build.float32(c) for c in columns), float(len(trees))))


def _plant(tree: "Tree", values: np.ndarray, grower: Grower) -> None:
    """Add a tree of scikit-learn's layout: children as places, -1 for none."""
    start = len(grower.feature)
    grower.roots.append(start)
    gaps = getattr(tree, "missing_go_to_left", np.zeros(tree.node_count, np.uint8))
    for i in range(tree.node_count):
        left, right = int(tree.children_left[i]), int(tree.children_right[i])
        if left < 0:
            grower.leaf(tuple(float(x) for x in values[i]))
        else:
            gap = start + (left if gaps[i] else right)
            grower.split(int(tree.feature[i]), AT_MOST, tree.threshold[i], start + left, start + right, gap)


def boosted(model: Estimator, columns: Columns, build: Builder) -> Names:
    """Read gradient boosting: a start value and the sum of learning rate x tree, per class; then the link of the loss."""
    constant = isinstance(model.init_, str) or type(model.init_).__name__ in ("DummyClassifier", "DummyRegressor")
    needs(constant, f"Gradient boosting that starts from {type(model.init_).__name__}")
    start = model._raw_predict_init(np.zeros((1, model.n_features_in_), np.float32))[0]
    fields = tuple(build.float32(c) for c in columns)
    raw: list[str] = []
    for place, trees in enumerate(model.estimators_.T):
        grower = Grower()
        grower.roots.append(grower.leaf((float(start[place]),)))
        for tree in trees:
            _plant(tree.tree_, model.learning_rate * tree.tree_.value[:, 0, :], grower)
        raw += build.add(grower.forest(build.names("raw", 1), fields))
    if not hasattr(model, "classes_"):
        return tuple(raw)
    return linked(raw, "softmax", build, 2.0 if model.loss == "exponential" else 1.0)


def linked(raw: list[str], link: str, build: Builder, factor: float = 1.0) -> Names:
    """Return the shares of the classes from raw scores; one score is that of the second of two classes."""
    size = max(2, len(raw)) if link == "softmax" else len(raw)
    rows = np.array([[0.0], [1.0]]) if size > len(raw) else np.eye(len(raw))
    weights = tuple(tuple(float(x) * factor for x in row) for row in rows)
    return build.add(Regression(build.names("answer", size), tuple(raw), weights, (0.0,) * size, link))


def histogram(model: Estimator, columns: Columns, build: Builder) -> Names:
    """Read histogram gradient boosting, whose trees compare in float64 and have a place for missing values."""
    columns = _encoded(model, columns, build)
    raw: list[str] = []
    for place, start in enumerate(np.ravel(model._baseline_prediction)):
        grower, fields = Grower(), dict.fromkeys(columns, 0)
        grower.roots.append(grower.leaf((float(start),)))
        for trees in model._predictors:
            _plant_histogram(trees[place], columns, fields, grower, build)
        raw += build.add(grower.forest(build.names("raw", 1), tuple(fields)))
    if hasattr(model, "classes_"):
        return linked(raw, "softmax", build)
    link = type(model._loss.link).__name__
    needs(link in ("IdentityLink", "LogLink"), f"Histogram boosting with {link}")
    return linked(raw, "exp", build) if link == "LogLink" else tuple(raw)


def _encoded(model: Estimator, columns: Columns, build: Builder) -> Columns:
    """Return the columns as the trees count them: categories first, as their codes."""
    if model._preprocessor is None:
        return columns
    encoder = model._preprocessor.named_transformers_["encoder"]
    chosen = [c for c, categorical in zip(columns, model.is_categorical_, strict=True) if categorical]
    found = []
    for column, categories in zip(chosen, encoder.categories_, strict=True):
        keys = tuple(c if isinstance(c, str) else float(c) for c in categories if c is not None and c == c)
        found.append(build.field("code", column, Lookup(column, keys, tuple(map(float, range(len(keys)))), np.nan)))
    return [*found, *(c for c, categorical in zip(columns, model.is_categorical_, strict=True) if not categorical)]


def _plant_histogram(
    tree: "TreePredictor", columns: Columns, fields: dict[str, int], grower: Grower, build: Builder
) -> None:
    start = len(grower.feature)
    grower.roots.append(start)
    for node in tree.nodes:
        if node["is_leaf"]:
            grower.leaf((float(node["value"]),))
            continue
        left, right = start + int(node["left"]), start + int(node["right"])
        gap = left if node["missing_go_to_left"] else right
        column = columns[int(node["feature_idx"])]
        if node["is_categorical"]:
            column = _kept(tree, node, column, build)
            fields.setdefault(column, 0)
            grower.split(list(fields).index(column), AT_MOST, 0.5, right, left, gap)
        else:
            grower.split(list(fields).index(column), AT_MOST, node["num_threshold"], left, right, gap)


def _kept(tree: "TreePredictor", node: np.void, column: str, build: Builder) -> str:
    """Return a field that is 1 for the categories that go left, 0 for the others that were seen, and missing for the rest."""

    def members(bits: np.ndarray) -> tuple[Expression, ...]:
        return tuple(Const(float(i)) for i in range(256) if (int(bits[i // 32]) >> (i % 32)) & 1)

    chosen = members(tree.raw_left_cat_bitsets[node["bitset_idx"]])
    inside: Expression = Apply("isIn", (Ref(column), *chosen)) if chosen else Const(0.0)
    return build.field("left", column, Apply("if", (inside, Const(1.0), Const(0.0))))
