"""What the source texts of all languages share: places of values, expressions in infix or calls, and only the functions in use."""

import re
from dataclasses import dataclass
from functools import reduce
from hashlib import sha256
from pathlib import Path

from core.domain.errors import Refused
from core.scoring.form import Apply, Const, Expression, Form, Label, Lookup, Ref, is_text, texts
from core.scoring.signature import Described

HERE = Path(__file__).parent
MAX_BYTES = 64 << 20
MAX_DEPTH = 90
"""Compilers and Python's parser promise little beyond a hundred brackets inside one another."""
CALLS = {
    "equal": "same", "lessThan": "less", "lessOrEqual": "at_most", "not": "negation", "isMissing": "gone", "isIn": "among",
}  # fmt: skip
SIGNATURE = "portolan-scoring-source 1"


@dataclass(frozen=True)
class Language:
    """How one language writes what all of them need."""

    functions: dict[str, str]
    divide: str
    nan: str
    infinity: str
    nothing: str

    def number(self, value: float) -> str:
        """Return a number that reads back as the same float64."""
        if value != value:
            return self.nan
        if value in (float("inf"), float("-inf")):
            return self.infinity if value > 0 else f"(-{self.infinity})"
        return repr(float(value)) if value >= 0 else f"({float(value)!r})"

    def text(self, value: str) -> str:
        """Return a text in quotes."""
        raise NotImplementedError

    def row(self, items: list[str], kind: str) -> str:
        """Return items as the last arguments of a call: in C their count and the array."""
        raise NotImplementedError


class Places:
    """Where the values of a form stand: numbers in ``v``, texts in ``t``, in the order in which they come to be."""

    def __init__(self, form: Form) -> None:
        self.texts = texts(form)
        names = [*(one.name for one in form.inputs), *(name for step in form.steps for name in step.names)]
        self.numbers = {name: place for place, name in enumerate(n for n in names if n not in self.texts)}
        self.words = {name: place for place, name in enumerate(n for n in names if n in self.texts)}

    def of(self, name: str) -> str:
        """Return the text that stands for a value."""
        return f"t[{self.words[name]}]" if name in self.words else f"v[{self.numbers[name]}]"


class Sentences:
    """Writes expressions in one language."""

    def __init__(self, language: Language, places: Places) -> None:
        self.language, self.places = language, places

    def say(self, expression: Expression, depth: int = 0) -> str:
        """Return an expression. Raises Refused for one that is nested too deep."""
        if depth > MAX_DEPTH:
            raise Refused(
                "An expression of the model is nested too deeply for source code.", "Convert to ONNX instead."
            )
        if isinstance(expression, Ref):
            return self.places.of(expression.name)
        if isinstance(expression, Const):
            return self._constant(expression.value)
        if isinstance(expression, Lookup):
            return self._looked_up(expression)
        return self._call(expression, depth + 1)

    def _constant(self, value: float | str) -> str:
        return self.language.text(value) if isinstance(value, str) else self.language.number(value)

    def _looked_up(self, table: Lookup) -> str:
        keys = "place_text" if table.name in self.places.texts else "place"
        values = "pick_text" if isinstance(table.default, str) else "pick"
        known = self.language.row([self._constant(k) for k in table.keys], "text" if keys != "place" else "number")
        given = self.language.row([self._constant(v) for v in table.values], "text" if values != "pick" else "number")
        return f"{values}({keys}({self.places.of(table.name)}, {known}), {given}, {self._constant(table.default)})"

    def _call(self, call: Apply, depth: int) -> str:
        parts, name = [self.say(part, depth) for part in call.arguments], call.function
        text = "_text" if any(is_text(part, self.places.texts) for part in call.arguments) else ""
        if name in "+-*":
            return f"({parts[0]} {name} {parts[1]})"
        if name == "/":
            return self.language.divide.format(*parts)
        if name == "if":
            other = parts[2] if len(parts) > 2 else self.language.nothing if text else self.language.nan
            return f"choose{text}({parts[0]}, {parts[1]}, {other})"
        if name in ("isIn", "isNotIn"):
            inside = f"among{text}({parts[0]}, {self.language.row(parts[1:], 'text' if text else 'number')})"
            return inside if name == "isIn" else f"negation({inside})"
        if name in ("notEqual", "isNotMissing"):
            return f"negation({'same' if name == 'notEqual' else 'gone'}{text}({', '.join(parts)}))"
        if name in ("greaterThan", "greaterOrEqual"):
            return f"{'less' if name == 'greaterThan' else 'at_most'}({parts[1]}, {parts[0]})"
        if name in ("and", "or", "min", "max", "sum"):
            return self._folded(
                {"and": "both", "or": "either", "sum": "together"}.get(name) or self.language.functions[name], parts
            )
        return f"{CALLS.get(name) or self.language.functions[name]}{text}({', '.join(parts)})"

    def _folded(self, function: str, parts: list[str]) -> str:
        return reduce(lambda a, b: f"{function}({a}, {b})", parts)


def vocabulary(file: str) -> str:
    """Return a text file of functions whole."""
    return (HERE / file).read_text()


def used(file: str, body: str) -> str:
    """Return those functions of a text file, parted by empty lines, that a body calls, and those that they call."""
    blocks = re.split(r"\n\n+(?=static|def)", vocabulary(file).strip())
    named = {re.split(r"[(]", block)[0].split()[-1].lstrip("*"): block for block in blocks}
    wanted, pending = set[str](), [body]
    while pending:
        text = pending.pop()
        for name in set(re.findall(r"\b([a-z_0-9]+)\(", text)) & named.keys() - wanted:
            wanted.add(name)
            pending.append(named[name])
    gap = "\n\n\n" if file.startswith("python") else "\n\n"
    return gap.join(block for name, block in named.items() if name in wanted)


def described(form: Form) -> Described:
    """Return what a caller must know: inputs in order with their types, and answers in order."""
    inputs = [{"name": i.name, "dtype": i.dtype, "missing": list(i.missing)} for i in form.inputs]
    answers = [
        {"name": o.name, "labels": list(o.choices)} if isinstance(o, Label) else {"name": o.name, "count": len(o.of)}
        for o in form.outputs
    ]
    return {"inputs": inputs, "answers": answers}


def signed(text: str) -> str:
    """Return the first line of a source file: what it is, and the SHA-256 of all lines behind the first."""
    return f"{SIGNATURE} sha256 {sha256(text.encode()).hexdigest()}"


def unsigned(path: Path, start: bytes) -> str:
    """Return the text of a file behind its first line. Raises Refused when the file is not as it was written."""
    if path.stat().st_size > MAX_BYTES:
        raise Refused(f"The file is larger than {MAX_BYTES >> 20} MB.", "Convert a smaller model.")
    first, _, rest = path.read_bytes().partition(b"\n")
    told = first.removeprefix(start).decode("ascii", "replace")
    try:
        text = rest.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if not text or told != signed(text):
        raise Refused("The source text is cut off, or was changed after it was written.", "Convert the model again.")
    return text
