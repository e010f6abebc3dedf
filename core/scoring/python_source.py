"""A form as Python: one module with one function, on the standard library's ``math`` alone."""

from collections.abc import Callable, Sequence
from typing import Any

from core.scoring.form import Bayes, Clusters, Field, Form, Label, Model, Network, Regression, TreeModel, Vector
from core.scoring.source import Language, Places, Sentences, described, signed, used

LINKS = {
    "none": "{}",
    "logit": "logistic({})",
    "exp": "exponential({})",
    "softmax": "softmax({})",
    "simplemax": "simplemax({})",
}
ACTIVATIONS = {"identity": "{}", "logistic": "logistic({})", "tanh": "hyperbolic({})", "rectifier": "rectified({})"}
HEAD = '''
A statistical model as dependency-free Python, written by Portolan: predict(row) takes a dict with a value per input
(None or nan for a missing one) and returns a dict of answers. SIGNATURE tells their names.
"""

import math

SIGNATURE = {signature_value}
'''


class Python(Language):
    """Rows as tuples."""

    def text(self, value: str) -> str:
        """Return a literal of ASCII."""
        return ascii(value)

    def row(self, items: list[str], kind: str) -> str:
        """Return a tuple."""
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"


LANGUAGE = Python(
    {"sqrt": "root", "abs": "abs", "exp": "exp", "ln": "log", "ln1p": "log1p", "expm1": "expm1", "floor": "floor",
     "tanh": "math.tanh", "pow": "power", "min": "lower", "max": "upper"},
    "divide({}, {})", "math.nan", "math.inf", "None",
)  # fmt: skip


def write(form: Form) -> str:
    """Return the module's text."""
    writer = _Writer(form)
    body = writer.body()
    head = HEAD.format(signature_value=ascii(described(form)))
    tables = "\n".join(writer.tables)
    parts = [head.rstrip(), *([tables] if tables else []), used("python_functions.txt", body), body]
    text = "\n\n\n".join(part for part in parts if part) + "\n"
    return f'"""{signed(text)}\n{text}'


def number(value: float) -> str:
    """Return a number in a table."""
    return LANGUAGE.number(value) if isinstance(value, float) else str(value)


class _Writer:
    """Tables and statements of one form."""

    def __init__(self, form: Form) -> None:
        self.form, self.places = form, Places(form)
        self.sentences = Sentences(LANGUAGE, self.places)
        self.tables: list[str] = []

    def body(self) -> str:
        """Return the function that calls everything."""
        lines = [f"v = [math.nan] * {len(self.places.numbers)}"]
        lines += [f"t = [None] * {len(self.places.words)}"] if self.places.words else []
        lines += self._inputs()
        for step in self.form.steps:
            lines += self._field(step) if isinstance(step, Field) else self._model(step)
        return "\n".join(["def predict(row):", *(f"    {line}" for line in [*lines, *self._answers()])])

    def _inputs(self) -> list[str]:
        lines = []
        for one in self.form.inputs:
            to, name = self.places.of(one.name), ascii(one.name)
            if one.dtype == "string":
                lines.append(f"{to} = None if row[{name}] in {(None, *one.missing)!a} else str(row[{name}])")
            else:
                given = f"math.nan if row[{name}] is None else float(row[{name}])"
                lines.append(f"{to} = single({given})" if one.dtype == "float" else f"{to} = {given}")
        return lines

    def _field(self, field: Field) -> list[str]:
        said = self.sentences.say(field.expression)
        return [f"{self.places.of(field.name)} = {f'single({said})' if field.dtype == 'float' else said}"]

    def _model(self, model: Model) -> list[str]:
        first = self.places.numbers[model.names[0]]
        x = f"gather(v, {self.table('FIELDS', [self.places.numbers[name] for name in model.fields])})"
        return [f"v[{first}:{first + len(model.names)}] = {MODELS[type(model)](self, model, x)}"]

    def _answers(self) -> list[str]:
        lines = []
        for output in self.form.outputs:
            of = self.table("OF", [self.places.numbers[name] for name in output.of])
            if isinstance(output, Label):
                labels = self.table("LABELS", [ascii(category) for category in output.choices])
                best = f"{output.pick}(v, {of})"
                best = best if output.nothing is None else f"known({best}, v, {of})"
                lines.append(f"{output.name!a}: {labels}[{best}],")
            else:
                lines.append(f"{output.name!a}: gather(v, {of}),")
        return ["return {", *(f"    {line}" for line in lines), "}"]

    def table(self, what: str, items: Sequence[float | str | Vector]) -> str:
        """Add a tuple of numbers, of texts that are written already, or of rows, and return its name."""
        name = f"{what}_{len(self.tables)}"
        said = [
            item if isinstance(item, str) else self._row(item) if isinstance(item, tuple) else number(item)
            for item in items
        ]
        lines = [", ".join(said[start : start + 12]) for start in range(0, len(said), 12)]
        self.tables.append(f"{name} = (" + "".join(f"\n    {line}," for line in lines) + ("\n)" if lines else ")"))
        return name

    def _row(self, items: Vector) -> str:
        return LANGUAGE.row([number(item) for item in items], "number")


def _regression(writer: _Writer, model: Regression, x: str) -> str:
    weights, biases = writer.table("WEIGHTS", model.weights), writer.table("BIASES", model.intercepts)
    return LINKS[model.link].format(f"dense({x}, {weights}, {biases})")


def _forest(writer: _Writer, model: TreeModel, x: str) -> str:
    rows = tuple(zip(model.feature, model.test, model.value, model.yes, model.no, model.missing, strict=True))
    roots, nodes = writer.table("ROOTS", model.roots), writer.table("NODES", rows)
    return f"forest({x}, {roots}, {nodes}, {writer.table('SCORES', model.scores)}, {LANGUAGE.number(model.divisor)})"


def _clusters(writer: _Writer, model: Clusters, x: str) -> str:
    found = f"distances({x}, {writer.table('CENTERS', model.centers)})"
    return f"roots_of({found})" if model.measure == "euclidean" else found


def _bayes(writer: _Writer, model: Bayes, x: str) -> str:
    tables = [
        writer.table("PRIORS", model.priors),
        writer.table("MEANS", model.means),
        writer.table("VARIANCES", model.variances),
    ]
    return f"softmax(densities({x}, {', '.join(tables)}, {LANGUAGE.number(model.threshold)}))"


def _network(writer: _Writer, model: Network, x: str) -> str:
    for layer in model.layers:
        weights, biases = writer.table("WEIGHTS", layer.weights), writer.table("BIASES", layer.biases)
        x = ACTIVATIONS[layer.activation].format(f"dense({x}, {weights}, {biases})")
    return LINKS[model.link].format(x)


MODELS: dict[type, Callable[[_Writer, Any, str], str]] = {
    Regression: _regression, TreeModel: _forest, Clusters: _clusters, Bayes: _bayes, Network: _network,
}  # fmt: skip
