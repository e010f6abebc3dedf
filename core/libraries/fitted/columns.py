"""What scikit-learn's transformers do to columns, as derived fields, in the same order of operations."""

from collections.abc import Callable

import numpy as np

from core.domain.errors import Refused
from core.libraries.sklearn import Estimator
from core.scoring.builder import Builder, number
from core.scoring.form import Apply, Clusters, Const, Expression, Lookup, Matrix, Ref, total

Columns = list[str]
NOTHING = 10 * float(np.finfo(np.float64).eps)
"""Below this scikit-learn takes a norm for zero, and divides by one instead."""


def transformed(step: Estimator, columns: Columns, build: Builder) -> Columns:
    """Return the columns behind a transformer. Raises Refused for a setting that has no form."""
    if isinstance(step, str):
        return [] if step == "drop" else columns
    name = type(step).__name__
    if name in TRANSFORMERS:
        return TRANSFORMERS[name](step, columns, build)
    if hasattr(step, "get_support"):
        return [column for column, kept in zip(columns, step.get_support(), strict=True) if kept]
    raise Refused(f"{name} is not supported here.", "Replace this step, and fit the model again.")


def needs(wanted: bool, what: str) -> None:
    """Raise Refused with ``what`` where a wanted setting does not hold."""
    if not wanted:
        raise Refused(f"{what} is not supported here.", "Change this setting, and fit the model again.")


def _pipeline(step: Estimator, columns: Columns, build: Builder) -> Columns:
    for _, part in step.steps:
        columns = columns if part is None else transformed(part, columns, build)
    return columns


def _table(step: Estimator, columns: Columns, build: Builder) -> Columns:
    found: Columns = []
    for name, part, _ in step.transformers_:
        chosen = [columns[place] for place in step._transformer_to_input_indices.get(name, [])]
        found += transformed(part, chosen, build) if chosen else []
    return found


def _union(step: Estimator, columns: Columns, build: Builder) -> Columns:
    needs(not step.transformer_weights, "FeatureUnion with weights")
    return [name for _, part in step.transformer_list for name in transformed(part, columns, build)]


def _function(step: Estimator, columns: Columns, build: Builder) -> Columns:
    if step.func is None:
        return columns
    kind = FUNCTIONS.get(getattr(step.func, "__name__", ""), "")
    needs(bool(kind) and not step.kw_args, f"FunctionTransformer with {getattr(step.func, '__name__', 'a function')!r}")
    return [build.field(kind, column, Apply(kind, (Ref(column),))) for column in columns]


def _affine(verb: str, steps: list[tuple[str, np.ndarray]], columns: Columns, build: Builder) -> Columns:
    """Apply each operator with its learned operand, column by column."""
    found = []
    for place, column in enumerate(columns):
        expression: Expression = Ref(column)
        for operator, learned in steps:
            expression = Apply(operator, (expression, number(learned[place])))
        found.append(build.field(verb, column, expression))
    return found


def _standard(step: Estimator, columns: Columns, build: Builder) -> Columns:
    given = [("-", step.mean_ if step.with_mean else None), ("/", step.scale_ if step.with_std else None)]
    return _affine("scale", [(op, v) for op, v in given if v is not None], columns, build)


def _robust(step: Estimator, columns: Columns, build: Builder) -> Columns:
    given = [("-", step.center_ if step.with_centering else None), ("/", step.scale_ if step.with_scaling else None)]
    return _affine("scale", [(op, v) for op, v in given if v is not None], columns, build)


def _min_max(step: Estimator, columns: Columns, build: Builder) -> Columns:
    found = _affine("scale", [("*", step.scale_), ("+", step.min_)], columns, build)
    if not step.clip:
        return found
    low, high = (number(bound) for bound in step.feature_range)
    return [build.field("clip", c, _clipped(Ref(c), low, high)) for c in found]


def _clipped(x: Expression, low: Const, high: Const) -> Expression:
    """Return a number within bounds; ``min`` and ``max`` would put a bound where it is missing."""
    below = Apply("if", (Apply("lessThan", (x, low)), low, x))
    return Apply("if", (Apply("greaterThan", (x, high)), high, below))


def _normalizer(step: Estimator, columns: Columns, build: Builder) -> Columns:
    parts: dict[str, Expression] = {
        "l1": total([Apply("abs", (Ref(c),)) for c in columns]),
        "l2": Apply("sqrt", (total([Apply("*", (Ref(c), Ref(c))) for c in columns]),)),
        "max": Apply("max", tuple(Apply("abs", (Ref(c),)) for c in columns)),
    }
    norm = build.field("norm", columns[0], parts[step.norm])
    safe = Apply("if", (Apply("lessThan", (Ref(norm), number(NOTHING))), Const(1.0), Ref(norm)))
    norm = build.field("length", columns[0], safe)
    return [build.field("unit", c, Apply("/", (Ref(c), Ref(norm)))) for c in columns]


def _binarizer(step: Estimator, columns: Columns, build: Builder) -> Columns:
    test = [Apply("greaterThan", (Ref(c), number(step.threshold))) for c in columns]
    return [build.field("above", c, indicator(one)) for c, one in zip(columns, test, strict=True)]


def indicator(truth: Expression) -> Expression:
    """Return 1 where a truth holds, and 0 elsewhere."""
    return Apply("if", (truth, Const(1.0), Const(0.0)))


def constant(value: float | str) -> Const:
    """Return a text or a number of any library."""
    return Const(value) if isinstance(value, str) else number(value)


def _one_hot(step: Estimator, columns: Columns, build: Builder) -> Columns:
    needs(not step._infrequent_enabled, "OneHotEncoder with infrequent categories")
    found = []
    for place, column in enumerate(columns):
        dropped = None if step.drop_idx_ is None else step.drop_idx_[place]
        kept = [c for i, c in enumerate(step.categories_[place]) if dropped is None or i != dropped]
        found += [build.field(f"{column} is {value}", column, _hot(column, value)) for value in kept]
    return found


def _hot(column: str, category: float | str | None) -> Expression:
    if category is None or category != category:
        return indicator(Apply("isMissing", (Ref(column),)))
    same = indicator(Apply("equal", (Ref(column), constant(category))))
    return Apply("if", (Apply("isMissing", (Ref(column),)), Const(0.0), same))


def _ordinal(step: Estimator, columns: Columns, build: Builder) -> Columns:
    needs(not step._infrequent_enabled, "OrdinalEncoder with infrequent categories")
    unknown = float(step.unknown_value) if step.handle_unknown == "use_encoded_value" else np.nan
    found = []
    for column, categories in zip(columns, step.categories_, strict=True):
        known = {constant(c).value: float(i) for i, c in enumerate(categories) if c is not None and c == c}
        table: Expression = Lookup(column, tuple(known), tuple(known.values()), unknown)
        if len(known) < len(categories):
            missing = number(step.encoded_missing_value)
            place = build.field("place", column, table)
            table = Apply("if", (Apply("isMissing", (Ref(column),)), missing, Ref(place)))
        found.append(build.field("code", column, table))
    return found


def _imputer(step: Estimator, columns: Columns, build: Builder) -> Columns:
    gaps = {c: _is_gap(c, step.missing_values) for c in columns}
    found = []
    for column, learned in zip(columns, step.statistics_, strict=True):
        if not isinstance(learned, str) and learned != learned and not step.keep_empty_features:
            continue
        dtype = "string" if column in build.texts else "double"
        filled = Apply("if", (gaps[column], constant(learned), Ref(column)))
        found.append(build.field("fill", column, filled, dtype))
    if step.indicator_ is not None:
        chosen = [columns[place] for place in step.indicator_.features_]
        found += [build.field("missing", c, indicator(gaps[c])) for c in chosen]
    return found


def _is_gap(column: str, marker: float | str | None) -> Expression:
    if marker is None or marker != marker:
        return Apply("isMissing", (Ref(column),))
    return Apply("equal", (Ref(column), constant(marker)))


def _missing(step: Estimator, columns: Columns, build: Builder) -> Columns:
    chosen = [columns[place] for place in step.features_]
    return [build.field("missing", c, indicator(_is_gap(c, step.missing_values))) for c in chosen]


def projected(rows: np.ndarray | Matrix, offsets: np.ndarray, columns: Columns, build: Builder, verb: str) -> Columns:
    """Return ``rows . columns + offsets`` as one field a row."""
    found = []
    for place, (row, offset) in enumerate(zip(rows, offsets, strict=True)):
        parts: list[Expression] = [Apply("*", (number(w), Ref(c))) for w, c in zip(row, columns, strict=True) if w]
        found.append(build.field(verb, str(place), total([*parts, *([number(offset)] if offset else [])])))
    return found


def _pca(step: Estimator, columns: Columns, build: Builder) -> Columns:
    rows, mean = np.array(step.components_), getattr(step, "mean_", None)
    if getattr(step, "whiten", False):
        rows = rows / np.sqrt(step.explained_variance_)[:, None]
    centered = columns if mean is None else _affine("center", [("-", mean)], columns, build)
    return projected(rows, np.zeros(len(rows)), centered, build, "component")


def _polynomial(step: Estimator, columns: Columns, build: Builder) -> Columns:
    found = []
    for place, powers in enumerate(step.powers_):
        parts: list[Expression] = [Ref(c) for c, power in zip(columns, powers, strict=True) for _ in range(power)]
        product = parts[0] if parts else Const(1.0)
        for part in parts[1:]:
            product = Apply("*", (product, part))
        found.append(build.field("product", str(place), product))
    return found


def _bins(step: Estimator, columns: Columns, build: Builder) -> Columns:
    found = []
    for column, edges in zip(columns, step.bin_edges_, strict=True):
        steps = [indicator(Apply("greaterOrEqual", (Ref(column), number(edge)))) for edge in edges[1:-1]]
        code = build.field("bin", column, total(list(steps)))
        if step.encode == "ordinal":
            found.append(code)
        else:
            same = [indicator(Apply("equal", (Ref(code), number(i)))) for i in range(len(edges) - 1)]
            found += [build.field(f"bin {i}", column, one) for i, one in enumerate(same)]
    return found


def _power(step: Estimator, columns: Columns, build: Builder) -> Columns:
    """Yeo and Johnson 2000, doi:10.1093/biomet/87.4.954; and Box and Cox 1964."""
    found = []
    for column, power in zip(columns, step.lambdas_, strict=True):
        x = Ref(column)
        if step.method == "box-cox":
            curve = _stretched(x, power, Apply("ln", (x,)))
        else:
            shifted, turned = Apply("+", (x, Const(1.0))), Apply("-", (Const(1.0), x))
            up = _stretched(shifted, power, Apply("ln1p", (x,)))
            minus = Apply("-", (Const(0.0), x))
            down = Apply("-", (Const(0.0), _stretched(turned, 2 - power, Apply("ln1p", (minus,)))))
            curve = Apply("if", (Apply("greaterOrEqual", (x, Const(0.0))), up, down))
        found.append(build.field("power", column, curve))
    return _standard(step._scaler, found, build) if step.standardize else found


def _stretched(base: Expression, power: float, limit: Expression) -> Expression:
    """Return (base ** power - 1) / power, or its limit for the power 0."""
    if abs(power) < np.spacing(1.0):
        return limit
    raised = Apply("pow", (base, number(power)))
    return Apply("/", (Apply("-", (raised, Const(1.0))), number(power)))


def _distances(step: Estimator, columns: Columns, build: Builder) -> Columns:
    centers = tuple(tuple(float(x) for x in row) for row in step.cluster_centers_)
    return list(build.add(Clusters(build.names("distance", len(centers)), tuple(columns), centers)))


FUNCTIONS = {
    "log1p": "ln1p",
    "expm1": "expm1",
    "log": "ln",
    "exp": "exp",
    "sqrt": "sqrt",
    "absolute": "abs",
    "tanh": "tanh",
}
TRANSFORMERS: dict[str, Callable[[Estimator, Columns, Builder], Columns]] = {
    "Pipeline": _pipeline, "ColumnTransformer": _table, "FeatureUnion": _union, "FunctionTransformer": _function,
    "StandardScaler": _standard, "RobustScaler": _robust, "MinMaxScaler": _min_max, "Normalizer": _normalizer,
    "MaxAbsScaler": lambda s, c, b: _affine("scale", [("/", s.scale_)], c, b), "Binarizer": _binarizer,
    "OneHotEncoder": _one_hot, "OrdinalEncoder": _ordinal, "SimpleImputer": _imputer, "MissingIndicator": _missing,
    "PCA": _pca, "IncrementalPCA": _pca, "TruncatedSVD": _pca, "PolynomialFeatures": _polynomial,
    "KBinsDiscretizer": _bins, "PowerTransformer": _power, "KMeans": _distances, "MiniBatchKMeans": _distances,
}  # fmt: skip
