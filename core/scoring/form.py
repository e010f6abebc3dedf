"""The nouns of the form: inputs, expressions, derived fields, five kinds of model, and the answers that they end in.

Numbers are float64 and NaN is the missing number; a text that is missing is None. A truth is the number 1 or 0, or
missing. A field of the dtype ``float`` is rounded to float32, which is how trees of scikit-learn and XGBoost compare.
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass

from core.domain.errors import Refused

Vector = tuple[float, ...]
Matrix = tuple[Vector, ...]

ARITHMETIC = ("+", "-", "*", "/")
NUMERIC = ("sqrt", "abs", "exp", "ln", "ln1p", "expm1", "floor", "tanh", "pow", "min", "max", "sum")
COMPARING = ("equal", "notEqual", "lessThan", "lessOrEqual", "greaterThan", "greaterOrEqual", "isIn", "isNotIn")
LOGICAL = ("and", "or", "not", "if", "isMissing", "isNotMissing")
FUNCTIONS = frozenset((*ARITHMETIC, *NUMERIC, *COMPARING, *LOGICAL))
"""The functions of an Apply, by their names in PMML 4.4."""

LINKS = ("none", "logit", "exp", "softmax", "simplemax")
"""What turns scores into answers: nothing, 1/(1+exp(-x)), exp(x), or shares of exp(x) or of x itself over all scores."""

ACTIVATIONS = ("identity", "logistic", "tanh", "rectifier")
MEASURES = ("euclidean", "squaredEuclidean")
AT_MOST, BELOW, EQUAL = 0, 1, 2
"""The tests of a tree's node: x <= value, x < value, x == value."""

NO_TEXT, NO_NUMBER = "", -(2**63)
"""Labels of rows without an answer: the empty text, and the lowest of all whole numbers."""


@dataclass(frozen=True)
class Input:
    """One column of the user's: its name, ``double``, ``float``, ``integer`` or ``string``, the texts that stand for a missing one, and known values."""

    name: str
    dtype: str
    missing: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    mean: float = 0.0
    spread: float = 1.0


@dataclass(frozen=True)
class Ref:
    """The value of an input, a field, or one of a model's numbers."""

    name: str


@dataclass(frozen=True)
class Const:
    """A number or a text."""

    value: float | str


@dataclass(frozen=True)
class Apply:
    """A function of the list with its arguments; an argument that is missing makes the answer missing, as in PMML."""

    function: str
    arguments: tuple["Expression", ...]


@dataclass(frozen=True)
class Lookup:
    """A table from keys to values; a key that it lacks gives ``default``, and a missing key a missing value."""

    name: str
    keys: tuple[float | str, ...]
    values: tuple[float | str, ...]
    default: float | str


Expression = Ref | Const | Apply | Lookup


@dataclass(frozen=True)
class Field:
    """A derived column: its expression, and ``double``, ``float`` (rounded to float32) or ``string``."""

    name: str
    dtype: str
    expression: Expression

    @property
    def names(self) -> tuple[str, ...]:
        """The one name that it gives."""
        return (self.name,)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names that it needs."""
        return tuple(dict.fromkeys(_names(self.expression)))


@dataclass(frozen=True)
class Regression:
    """One number per row of weights: intercept + weights . fields, then the link."""

    names: tuple[str, ...]
    fields: tuple[str, ...]
    weights: Matrix
    intercepts: Vector
    link: str = "none"


@dataclass(frozen=True)
class TreeModel:
    """Binary trees in one row of nodes; the answers are the sum of the scores of the leaves reached, over ``divisor``.

    Node i asks ``fields[feature[i]]`` against ``value[i]`` and goes on at ``yes``, ``no`` or (missing) ``missing``;
    a leaf has the feature -1 and its row of ``scores`` in ``yes``.
    """

    names: tuple[str, ...]
    fields: tuple[str, ...]
    roots: tuple[int, ...]
    feature: tuple[int, ...]
    test: tuple[int, ...]
    value: Vector
    yes: tuple[int, ...]
    no: tuple[int, ...]
    missing: tuple[int, ...]
    scores: Matrix
    divisor: float = 1.0


@dataclass(frozen=True)
class Clusters:
    """The distance of the fields to each centre."""

    names: tuple[str, ...]
    fields: tuple[str, ...]
    centers: Matrix
    measure: str = "euclidean"


@dataclass(frozen=True)
class Bayes:
    """Shares of prior x product of normal densities, one row of means and variances a class; a missing number is left out.

    A density below ``threshold`` counts as the threshold.
    """

    names: tuple[str, ...]
    fields: tuple[str, ...]
    priors: Vector
    means: Matrix
    variances: Matrix
    threshold: float = 0.0


@dataclass(frozen=True)
class NeuralLayer:
    """One layer of neurons: a row of weights and a bias each, then the activation."""

    weights: Matrix
    biases: Vector
    activation: str


@dataclass(frozen=True)
class Network:
    """Layers in a row, then the link."""

    names: tuple[str, ...]
    fields: tuple[str, ...]
    layers: tuple[NeuralLayer, ...]
    link: str = "none"


Model = Regression | TreeModel | Clusters | Bayes | Network
Step = Field | Model


@dataclass(frozen=True)
class Numbers:
    """An answer of one or more numbers a row."""

    name: str
    of: tuple[str, ...]


@dataclass(frozen=True)
class Label:
    """An answer of one category a row: that of the ``largest`` or ``smallest`` number, the first of equals.

    ``nothing`` is the answer where a number is missing; without one, missing numbers are the source's accident.
    """

    name: str
    of: tuple[str, ...]
    categories: tuple[str, ...] | tuple[int, ...]
    pick: str = "largest"
    nothing: str | int | None = None

    @property
    def choices(self) -> tuple[str | int, ...]:
        """The categories, and behind them the answer for missing numbers if there is one."""
        return self.categories if self.nothing is None else (*self.categories, self.nothing)


@dataclass(frozen=True)
class Form:
    """A statistical model: inputs, steps in the order of their need, and answers."""

    inputs: tuple[Input, ...]
    steps: tuple[Step, ...]
    outputs: tuple[Label | Numbers, ...]

    @property
    def models(self) -> tuple[Model, ...]:
        """The steps that are models."""
        return tuple(step for step in self.steps if not isinstance(step, Field))


def texts(form: Form) -> frozenset[str]:
    """Return the names whose values are texts."""
    fields = (step.name for step in form.steps if isinstance(step, Field) and step.dtype == "string")
    return frozenset((*(one.name for one in form.inputs if one.dtype == "string"), *fields))


def is_text(expression: Expression, columns: Container[str]) -> bool:
    """Say whether an expression gives texts; ``columns`` are the names whose values are."""
    if isinstance(expression, Ref):
        return expression.name in columns
    if isinstance(expression, Const):
        return isinstance(expression.value, str)
    if isinstance(expression, Lookup):
        return isinstance(expression.default, str)
    return expression.function == "if" and any(is_text(part, columns) for part in expression.arguments[1:])


def check(form: Form) -> Form:
    """Return the form when every name is given once and before its use, and every width fits. Raises Refused."""
    known = {one.name for one in form.inputs}
    if len(known) != len(form.inputs) or not form.inputs:
        raise _broken("an input is there twice, or there is none")
    for step in form.steps:
        if unknown := [name for name in step.fields if name not in known]:
            raise _broken(f"{step.names[0]!r} needs {unknown[0]!r}, which comes later or not at all")
        if twice := [name for name in step.names if name in known]:
            raise _broken(f"the name {twice[0]!r} is given twice")
        known.update(step.names)
        if not isinstance(step, Field) and not _fits(step):
            raise _broken(f"the numbers of {step.names[0]!r} do not fit their columns")
    if not form.outputs or any(name not in known for output in form.outputs for name in output.of):
        raise _broken("an answer is missing")
    return form


def needed(form: Form) -> Form:
    """Return the form without the steps that no answer needs."""
    wanted, kept = {name for output in form.outputs for name in output.of}, list[Step]()
    for step in reversed(form.steps):
        if wanted.intersection(step.names):
            kept.insert(0, step)
            wanted.update(step.fields)
    return Form(form.inputs, tuple(kept), form.outputs)


def total(parts: list[Expression]) -> Expression:
    """Return the sum of the parts as a balanced tree of additions; 0 for none."""
    if len(parts) < 2:
        return parts[0] if parts else Const(0.0)
    half = len(parts) // 2
    return Apply("+", (total(parts[:half]), total(parts[half:])))


def _names(expression: Expression) -> Iterator[str]:
    if isinstance(expression, Ref | Lookup):
        yield expression.name
    elif isinstance(expression, Apply):
        for argument in expression.arguments:
            yield from _names(argument)


def _fits(model: Model) -> bool:
    wide, high = len(model.fields), len(model.names)
    if isinstance(model, Regression):
        return _shaped(model.weights, high, wide) and len(model.intercepts) == high
    if isinstance(model, TreeModel):
        return _shaped(model.scores, len(model.scores), high) and model.divisor != 0 and _linked(model, wide)
    if isinstance(model, Clusters):
        return _shaped(model.centers, high, wide)
    if isinstance(model, Bayes):
        return len(model.priors) == high and _shaped(model.means, high, wide) and _shaped(model.variances, high, wide)
    for layer in model.layers:
        if not _shaped(layer.weights, len(layer.biases), wide):
            return False
        wide = len(layer.biases)
    return wide == high


def _linked(forest: TreeModel, wide: int) -> bool:
    count = len(forest.feature)
    links = zip(forest.feature, forest.yes, forest.no, forest.missing, strict=True)
    return all(0 <= root < count for root in forest.roots) and all(
        0 <= yes < len(forest.scores) if feature < 0 else feature < wide and max(yes, no, gap) < count
        for feature, yes, no, gap in links
    )


def _shaped(matrix: Matrix, high: int, wide: int) -> bool:
    return len(matrix) == high and all(len(row) == wide for row in matrix)


def _broken(why: str) -> Refused:
    return Refused(f"The model is inconsistent: {why}.", "Export the file again with the tool that made it.")
