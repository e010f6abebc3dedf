"""A fitted scikit-learn model as a tree of names, attributes and array shapes: read from a file, with nothing imported or built.

The names of inputs and answers are those that the runtime and the ONNX file have: one input per column where a column
transformer sees named columns first, else one table ``X``; ``label`` with ``probabilities`` or ``scores``; ``variable``.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.border.pickles.arrays import Bytes
from core.domain.artifact import Signature, TensorSpec
from core.domain.format import Summary
from core.formats.anatomy.weight_counts import WeightCounts

MAX_THINGS = 200_000
NO_PROBABILITIES = {
    "LinearSVC",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "Perceptron",
    "PassiveAggressiveClassifier",
    "NearestCentroid",
}
OUTLIERS = {"IsolationForest", "OneClassSVM", "LocalOutlierFactor", "EllipticEnvelope", "SGDOneClassSVM"}
VECTORIZERS = {"TfidfVectorizer", "CountVectorizer", "HashingVectorizer"}
BOOSTER_WIDTH = re.compile(rb"num_feature\W{0,3}[SU\"]?[^0-9]{0,10}?([1-9]\d{0,6})", re.DOTALL)
"""Where XGBoost's own form tells how many columns it takes."""
PACKAGES = {"sklearn": "scikit-learn", "xgboost": "xgboost", "lightgbm": "lightgbm", "scipy": "scipy", "numpy": "numpy"}
KINDS = {"f": "float", "i": "int", "u": "uint", "b": "bool", "c": "complex"}


@dataclass(frozen=True, eq=False)
class StoredArray:
    """A NumPy array in the file: shape, dtype code, and the items of an object array where they are known."""

    shape: tuple[int, ...]
    dtype: str
    items: Any = None

    @property
    def is_text(self) -> bool:
        """Say whether the elements are texts, as far as the file tells."""
        if self.dtype[:1] == "O":
            return any(type(item) is str for item in (self.items or ())[:50])
        return self.dtype[:1] in "US"


@dataclass(eq=False)
class StoredObject:
    """An object in the file: the dotted name of its class, and its attributes."""

    path: str
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The class without its module."""
        return self.path.rpartition(".")[2]

    def get(self, name: str) -> Any:
        """Return an attribute, or None."""
        return self.attributes.get(name)


def summary(format: str, model: object) -> Summary:
    """Return what a tree says: signature, estimators, numbers learned, versions."""
    things = list(walk(model))
    counts = WeightCounts()
    for path, table in _tables(model):
        if table.dtype[:1] in KINDS and table.dtype[1:].isdecimal():
            counts.add(path, f"{KINDS[table.dtype[0]]}{8 * int(table.dtype[1:])}".replace("bool8", "bool"), table.shape)
    version = _version(things)
    return Summary(
        format=format,
        signature=signature(model),
        parameters=counts.parameters or None,
        operators=dict(Counter(t.name for t in things if _is_estimator(t)).most_common()),
        precision=counts.precision,
        producer=f"scikit-learn {version}"[:60] if version else None,
        dependencies=_dependencies(things, version),
        layers=tuple(counts.layers),
        notes={"model": final(model).name if isinstance(model, StoredObject) else None},
    )


def version(model: object) -> str | None:
    """Return the scikit-learn that wrote a model, or None where the file does not say."""
    return _version(walk(model))


def _version(things: Iterable[StoredObject]) -> str | None:
    told = (thing.get("_sklearn_version") for thing in things)
    return next((one[:40] for one in told if type(one) is str), None)


def signature(model: object) -> Signature:
    """Return inputs and answers; empty for what is no fitted estimator."""
    if not isinstance(model, StoredObject):
        return Signature()
    return Signature(_inputs(model), _outputs(final(model)))


def final(model: StoredObject) -> StoredObject:
    """Return the estimator that gives the answer: the last step, the best of a search."""
    for _ in range(20):
        steps = model.get("steps")
        inner = steps[-1][1] if _is_steps(steps) else model.get("best_estimator_")
        if not isinstance(inner, StoredObject):
            return model
        model = inner
    return model


def walk(model: object) -> Iterator[StoredObject]:
    """Yield each object of the tree once."""
    for _, item in _items(model):
        if isinstance(item, StoredObject):
            yield item


def _tables(model: object) -> Iterator[tuple[str, StoredArray]]:
    for path, item in _items(model):
        if isinstance(item, StoredArray):
            yield path, item


def _items(model: object) -> Iterator[tuple[str, object]]:
    """Walk objects, arrays, tables and lists in order, each once."""
    seen: set[int] = set()
    pending: list[tuple[str, object]] = [("", model)]
    while pending and len(seen) < MAX_THINGS:
        path, item = pending.pop()
        if id(item) in seen or not isinstance(item, StoredObject | StoredArray | dict | list | tuple):
            continue
        seen.add(id(item))
        yield path, item
        children = _children(item)
        pending += [(f"{path}.{key}" if path else str(key), child) for key, child in reversed(children)]


def _children(item: object) -> list[tuple[object, object]]:
    if isinstance(item, StoredObject):
        return list(item.attributes.items())
    if isinstance(item, dict):
        return list(item.items())
    return list(enumerate(item)) if isinstance(item, list | tuple) else []


def _inputs(model: StoredObject) -> tuple[TensorSpec, ...]:
    columns = model.get("feature_names_in_") or _first(model).get("feature_names_in_")
    if _first(model).name in VECTORIZERS:
        return (TensorSpec("X", "str", ("batch", 1)),)
    count = _width(model)
    texts = _text_columns(_first(model), columns.items if isinstance(columns, StoredArray) else None)
    if isinstance(columns, StoredArray) and columns.items and _first(model).get("transformers_"):
        kinds = ["str" if name in texts else "float32" for name in columns.items]
        return tuple(TensorSpec(str(n)[:200], kind, ("batch", 1)) for n, kind in zip(columns.items, kinds, strict=True))
    return (TensorSpec("X", "str" if texts else "float32", ("batch", count)),)


def _width(model: StoredObject) -> int | None:
    """Return the number of columns: the model's own, its first step's, a boosted tree's, or that of the first part that knows."""
    for thing in (model, _first(model), *walk(model.get("estimators_")), *walk(model)):
        count = _number(thing.get("n_features_in_")) or _number(thing.get("_n_features"))
        raw = thing.get("handle") if thing.path == "xgboost.core.Booster" else None
        told = BOOSTER_WIDTH.search(raw.edges) if isinstance(raw, Bytes) else None
        if count or told:
            return count or int(told[1] if told else 0)
    return None


def _first(model: StoredObject) -> StoredObject:
    """Return the step that sees the raw columns."""
    for _ in range(20):
        steps = model.get("steps")
        inner = steps[0][1] if _is_steps(steps) else model.get("best_estimator_")
        if not isinstance(inner, StoredObject):
            return model
        model = inner
    return model


def _text_columns(first: StoredObject, names: Sequence[object] | None) -> set[object]:
    """Return the columns, by name or place, whose encoder learned texts."""
    found: set[object] = set()
    transformers = first.get("transformers_")
    for entry in transformers if isinstance(transformers, list) else [("", first, None)]:
        if not isinstance(entry, list | tuple) or len(entry) != 3:
            continue
        chosen = entry[2] if isinstance(entry[2], list) else [entry[2]] if isinstance(entry[2], str | int) else None
        if not any(_learned_text(thing) for thing in walk(entry[1])):
            continue
        for column in chosen if chosen is not None else ["X"]:
            found.add(names[column] if names and type(column) is int and column < len(names) else column)
    return found


def _learned_text(thing: StoredObject) -> bool:
    learned = thing.get("categories_")
    return isinstance(learned, list) and any(isinstance(values, StoredArray) and values.is_text for values in learned)


def _outputs(model: StoredObject) -> tuple[TensorSpec, ...]:
    classes = model.get("classes_") or model.get("_classes")
    if model.name in OUTLIERS:
        return TensorSpec("label", "int64", ("batch", 1)), TensorSpec("scores", "float32", ("batch", 1))
    if isinstance(classes, StoredArray) or model.name in ("XGBClassifier", "LGBMClassifier"):
        known = isinstance(classes, StoredArray)
        count = classes.shape[0] if known and classes.shape else _number(model.get("n_classes_"))
        label = TensorSpec("label", "str" if known and classes.is_text else "int64", ("batch",))
        return label, TensorSpec(
            "probabilities" if _tells_probabilities(model) else "scores", "float32", ("batch", count)
        )
    centers = model.get("cluster_centers_")
    if isinstance(centers, StoredArray) and centers.shape:
        return TensorSpec("label", "int64", ("batch",)), TensorSpec("scores", "float32", ("batch", centers.shape[0]))
    return (TensorSpec("variable", "float32", ("batch", None)),)


def _tells_probabilities(model: StoredObject) -> bool:
    if model.name in ("SVC", "NuSVC"):
        return bool(model.get("probability") is True)
    if model.name == "SGDClassifier":
        return bool(model.get("loss") in ("log_loss", "modified_huber"))
    if model.name == "VotingClassifier":
        return bool(model.get("voting") == "soft")
    return model.name not in NO_PROBABILITIES


def _is_estimator(thing: StoredObject) -> bool:
    own = thing.path.split(".")[0] in ("sklearn", "xgboost", "lightgbm")
    return (
        own
        and not thing.name.startswith("_")
        and ("_sklearn_version" in thing.attributes or thing.name.startswith(("XGB", "LGBM")))
    )


def _is_steps(steps: object) -> bool:
    return (
        isinstance(steps, list)
        and bool(steps)
        and all(isinstance(step, list | tuple) and len(step) == 2 for step in steps)
    )


def _number(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _dependencies(things: list[StoredObject], version: str | None) -> tuple[str, ...]:
    roots = {thing.path.split(".")[0] for thing in things} & PACKAGES.keys()
    named = sorted(PACKAGES[root] for root in roots - {"sklearn"})
    return (f"scikit-learn {version}"[:60] if version else "scikit-learn", *named)
