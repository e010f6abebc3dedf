"""A form as C99: one file, no memory of its own, nothing but the standard library."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from core.scoring.form import Bayes, Clusters, Field, Form, Label, Matrix, Model, Network, Regression, TreeModel
from core.scoring.source import Language, Places, Sentences, described, signed, used

LINKS = {"logit": "logistic", "exp": "exponential", "softmax": "softmax", "simplemax": "simplemax"}
ACTIVATIONS = {"logistic": "logistic", "tanh": "hyperbolic", "rectifier": "rectified"}
HEAD = """ * A statistical model as dependency-free C99, written by Portolan. Compile with: cc -std=c99 -O2 -c model.c (and link with -lm)
 *
 *   void predict(const double *number, const char *const *text, double *answer);
 *
 * number  the numeric inputs in order, NAN for a missing one:
{numbers}
 * text    the text inputs in order, NULL for a missing one (may itself be NULL when there are none):
{texts}
 * answer  receives:
{answers}
 *
 * {facts}
 */
#include <math.h>
#include <stddef.h>
#include <string.h>

void predict(const double *number, const char *const *text, double *answer);
"""


class C(Language):
    """Arrays as compound literals with their count before them."""

    def text(self, value: str) -> str:
        """Return a literal of ASCII: UTF-8 bytes beyond it, quotes and question marks (trigraphs) as octal escapes."""
        letters = (chr(b) if 32 <= b < 127 and b not in b'"\\?' else f"\\{b:03o}" for b in value.encode())
        return '"' + "".join(letters) + '"'

    def row(self, items: list[str], kind: str) -> str:
        """Return the count and a compound literal."""
        type = "const char *const[]" if kind == "text" else "const double[]"
        empty = "NULL" if kind == "text" else "0.0"
        return f"{len(items)}, ({type}){{{', '.join(items) or empty}}}"


LANGUAGE = C(
    {"sqrt": "sqrt", "abs": "fabs", "exp": "exp", "ln": "log", "ln1p": "log1p", "expm1": "expm1", "floor": "floor",
     "tanh": "tanh", "pow": "pow", "min": "fmin", "max": "fmax"},
    "({} / {})", "NAN", "INFINITY", "NULL",
)  # fmt: skip


def write(form: Form) -> str:
    """Return the file's text."""
    writer = _Writer(form)
    body = writer.body()
    tables = "\n".join(writer.tables)
    parts = [_head(form), *([tables] if tables else []), used("c_functions.txt", body), body]
    text = "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"
    return f"/* {signed(text)}\n{text}"


def facts(form: Form) -> str:
    """Return the description of inputs and answers as JSON that can stand in a comment and in every character set."""
    return json.dumps(described(form)).replace("*/", "*\\/").replace("/*", "\\/*").replace("?", "\\u003f")


def _head(form: Form) -> str:
    numbers = [one.name for one in form.inputs if one.dtype != "string"]
    words = [one.name for one in form.inputs if one.dtype == "string"]
    lines, place = [], 0
    for output in form.outputs:
        if isinstance(output, Label):
            lines.append(f"[{place}] {output.name}: a whole number, the place of the class in predict_labels")
            place += 1
        else:
            lines.append(f"[{place} to {place + len(output.of) - 1}] {output.name}")
            place += len(output.of)
    return HEAD.format(
        numbers=_listed(numbers), texts=_listed(words), facts=facts(form),
        answers="\n".join(f" *   {_plain(line)}" for line in lines),
    )  # fmt: skip


def _listed(names: list[str]) -> str:
    return "\n".join(f" *   [{place}] {_plain(name)}" for place, name in enumerate(names)) or " *   none"


def _plain(text: str) -> str:
    """Return a name as ASCII that can stand in a comment."""
    return text.encode("ascii", "replace").decode().replace("/", "|").replace("\n", " ").replace("?", "_")[:100]


class _Writer:
    """Tables and statements of one form."""

    def __init__(self, form: Form) -> None:
        self.form, self.places = form, Places(form)
        self.sentences = Sentences(LANGUAGE, self.places)
        self.tables: list[str] = []
        self.room = 1

    def body(self) -> str:
        """Return the function that calls everything."""
        lines = self._inputs()
        for step in self.form.steps:
            lines += self._field(step) if isinstance(step, Field) else self._model(step)
        lines += self._answers()
        head = ["void predict(const double *number, const char *const *text, double *answer) {"]
        head += [f"    double v[{max(1, len(self.places.numbers))}], x[{self.room}];"]
        head += [f"    const char *t[{len(self.places.words)}];"] if self.places.words else []
        unused = [
            name for name in ("number", "text", "x") if not any(re.search(rf"\b{name}\b", line) for line in lines)
        ]
        return "\n".join([*head, *(f"    (void){name};" for name in unused), *(f"    {line}" for line in lines), "}"])

    def _inputs(self) -> list[str]:
        lines, number, text = [], 0, 0
        for one in self.form.inputs:
            if one.dtype == "string":
                source = f"text[{text}]"
                for gap in one.missing:
                    source = f"choose_text(same_text({source}, {LANGUAGE.text(gap)}), NULL, {source})"
                lines.append(f"{self.places.of(one.name)} = {source};")
                text += 1
            else:
                source = f"number[{number}]"
                lines.append(f"{self.places.of(one.name)} = {f'single({source})' if one.dtype == 'float' else source};")
                number += 1
        return lines

    def _field(self, field: Field) -> list[str]:
        said = self.sentences.say(field.expression)
        return [f"{self.places.of(field.name)} = {f'single({said})' if field.dtype == 'float' else said};"]

    def _model(self, model: Model) -> list[str]:
        self.room = max(self.room, len(model.fields))
        to = f"v + {self.places.numbers[model.names[0]]}"
        if not model.fields:
            return MODELS[type(model)](self, model, to)
        fields = self._ints("fields", [self.places.numbers[name] for name in model.fields])
        return [f"gather(v, {len(model.fields)}, {fields}, x);", *MODELS[type(model)](self, model, to)]

    def _answers(self) -> list[str]:
        lines, place = [], 0
        for output in self.form.outputs:
            of = self._ints("of", [self.places.numbers[name] for name in output.of])
            if isinstance(output, Label):
                labels = ", ".join(LANGUAGE.text(str(c)) for c in output.choices)
                self.tables.insert(
                    0, f"extern const char *const predict_labels[];\nconst char *const predict_labels[] = {{{labels}}};"
                )
                best = f"{output.pick}(v, {len(output.of)}, {of})"
                best = best if output.nothing is None else f"known({best}, v, {len(output.of)}, {of})"
                lines.append(f"answer[{place}] = {best};")
                place += 1
            else:
                lines.append(f"gather(v, {len(output.of)}, {of}, answer + {place});")
                place += len(output.of)
        return lines

    def _ints(self, what: str, values: list[int] | tuple[int, ...]) -> str:
        return self._table("int", what, [str(value) for value in values] or ["0"])

    def numbers(self, what: str, values: Iterable[float]) -> str:
        """Add a table of numbers and return its name."""
        return self._table("double", what, [LANGUAGE.number(value) for value in values] or ["0.0"])

    def matrix(self, what: str, rows: Matrix) -> str:
        """Add a table row by row and return its name."""
        return self.numbers(what, [value for row in rows for value in row])

    def _table(self, kind: str, what: str, items: list[str]) -> str:
        name = f"{what}_{len(self.tables)}"
        lines = ["    " + ", ".join(items[start : start + 12]) for start in range(0, len(items), 12)]
        self.tables.append(f"static const {kind} {name}[{len(items)}] = {{\n" + ",\n".join(lines) + "};")
        return name


def _regression(writer: _Writer, model: Regression, to: str) -> list[str]:
    weights, biases = writer.matrix("weights", model.weights), writer.numbers("biases", model.intercepts)
    return [
        f"dense(x, {len(model.fields)}, {len(model.names)}, {weights}, {biases}, {to});",
        *_linked(model.link, to, len(model.names)),
    ]


def _linked(link: str, to: str, count: int) -> list[str]:
    return [f"{LINKS[link]}({to}, {count});"] if link in LINKS else []


def _forest(writer: _Writer, model: TreeModel, to: str) -> list[str]:
    rows = zip(model.feature, model.test, model.yes, model.no, model.missing, strict=True)
    nodes = writer._ints("nodes", [value for row in rows for value in row])
    values, scores = writer.numbers("values", model.value), writer.matrix("scores", model.scores)
    roots = writer._ints("roots", model.roots)
    return [f"forest(x, {len(model.roots)}, {roots}, {nodes}, {values}, {len(model.names)}, {scores}, {LANGUAGE.number(model.divisor)}, {to});"]  # fmt: skip


def _clusters(writer: _Writer, model: Clusters, to: str) -> list[str]:
    count = len(model.names)
    lines = [f"distances(x, {len(model.fields)}, {count}, {writer.matrix('centers', model.centers)}, {to});"]
    return [*lines, f"roots_of({to}, {count});"] if model.measure == "euclidean" else lines


def _bayes(writer: _Writer, model: Bayes, to: str) -> list[str]:
    tables = [
        writer.numbers("priors", model.priors),
        writer.matrix("means", model.means),
        writer.matrix("variances", model.variances),
    ]
    count = len(model.names)
    return [f"densities(x, {len(model.fields)}, {count}, {', '.join(tables)}, {LANGUAGE.number(model.threshold)}, {to});", f"softmax({to}, {count});"]  # fmt: skip


def _network(writer: _Writer, model: Network, to: str) -> list[str]:
    """Let the layers answer one another in two halves of the room."""
    widest = max(len(model.fields), *(len(layer.biases) for layer in model.layers))
    writer.room = max(writer.room, 2 * widest)
    lines, wide, here, there = [], len(model.fields), "x", f"x + {widest}"
    for number, layer in enumerate(model.layers, start=1):
        out = to if number == len(model.layers) else there
        weights, biases = writer.matrix("weights", layer.weights), writer.numbers("biases", layer.biases)
        lines.append(f"dense({here}, {wide}, {len(layer.biases)}, {weights}, {biases}, {out});")
        lines += (
            [f"{ACTIVATIONS[layer.activation]}({out}, {len(layer.biases)});"] if layer.activation in ACTIVATIONS else []
        )
        wide, here, there = len(layer.biases), out, here
    return [*lines, *_linked(model.link, to, len(model.names))]


MODELS: dict[type, Callable[[_Writer, Any, str], list[str]]] = {
    Regression: _regression, TreeModel: _forest, Clusters: _clusters, Bayes: _bayes, Network: _network,
}  # fmt: skip
