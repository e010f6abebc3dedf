"""Forms drawn at random: expressions of every function on numbers and texts with gaps, and trees that share parts and have a third way."""

from random import Random
from typing import Any

import numpy as np

from core.scoring.form import Apply, Const, Expression, Field, Form, Input, Lookup, Numbers, Ref, TreeModel, check

VALUES = (0.0, 1.0, -1.0, 2.0, 0.5, -0.5, 1e-9, -1e-12, 3.7, 700.0, -800.0, 1e20, 0.1, 1 / 3, -0.0, np.inf, -np.inf, np.nan)  # fmt: skip
WORDS = ("a", "b", "", "zz", "c d")
ONE = ("sqrt", "abs", "exp", "ln", "ln1p", "expm1", "floor", "tanh")
TWO = ("+", "-", "*", "/", "pow")
ANY = ("min", "max", "sum")
ORDERS = ("lessThan", "lessOrEqual", "greaterThan", "greaterOrEqual", "equal", "notEqual")
INPUTS = (
    Input("u", "double"), Input("s", "string", ("",)), Input("f", "float"), Input("v", "double"), Input("t", "string"),
)  # fmt: skip


class Drawing:
    """Expressions over the names so far."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.numbers, self.texts = ["u", "f", "v"], ["s", "t"]

    def form(self) -> Form:
        """Return a form with six derived fields, all of whose numbers are answers."""
        steps = [self._field(place) for place in range(6)]
        return check(Form(INPUTS, tuple(steps), (Numbers("variable", tuple(self.numbers)),)))

    def _field(self, place: int) -> Field:
        if self.random.random() < 0.3:
            made = Field(f"text {place}", "string", self.text(2))
            self.texts.append(made.name)
        else:
            made = Field(f"number {place}", self.random.choice(("double", "double", "float")), self.number(3))
            self.numbers.append(made.name)
        return made

    def number(self, depth: int) -> Expression:
        """Return an expression that gives a number."""
        pick = self.random
        kind = pick.choice(("leaf", "table", "words", "if", "truth", "one", "two", "any")) if depth else "leaf"
        if kind == "leaf":
            return Ref(pick.choice(self.numbers)) if pick.random() < 0.6 else Const(pick.choice(VALUES))
        if kind == "table":
            return Lookup(pick.choice(self.numbers), (0.0, 2.0, 0.1), (7.0, np.nan, 1.5), pick.choice(VALUES))
        if kind == "words":
            return Lookup(pick.choice(self.texts), ("a", "zz"), (1.5, 3.0), pick.choice(VALUES))
        if kind == "if":
            branches = [self.number(depth - 1) for _ in range(pick.choice((1, 2)))]
            return Apply("if", (self.truth(depth - 1), *branches))
        if kind == "truth":
            return self.truth(depth - 1)
        functions, count = {"one": (ONE, 1), "two": (TWO, 2), "any": (ANY, pick.randint(1, 3))}[kind]
        return Apply(pick.choice(functions), tuple(self.number(depth - 1) for _ in range(count)))

    def text(self, depth: int) -> Expression:
        """Return an expression that gives a text."""
        kind = self.random.choice(("leaf", "table", "if")) if depth else "leaf"
        if kind == "table":
            return Lookup(self.random.choice(self.texts), ("a", "b"), ("zz", "q"), self.random.choice(WORDS))
        if kind == "if":
            other = (Const(self.random.choice(WORDS)),) if self.random.random() < 0.6 else ()
            return Apply("if", (self.truth(depth - 1), self.text(depth - 1), *other))
        return Ref(self.random.choice(self.texts))

    def truth(self, depth: int) -> Expression:
        """Return an expression that holds, does not, or is missing."""
        pick, inner = self.random, max(0, depth - 1)
        kind = pick.choice(("words", "missing", "joined", "order", "among") if depth else ("words", "missing", "order"))
        if kind == "words":
            options = [Const(pick.choice(WORDS)) for _ in range(pick.choice((1, 2, 7)))]
            function = pick.choice(("equal", "notEqual") if len(options) == 1 else ("isIn", "isNotIn"))
            return Apply(function, (self.text(inner), *options))
        if kind == "missing":
            return Apply(pick.choice(("isMissing", "isNotMissing")), (pick.choice((self.number, self.text))(inner),))
        if kind == "joined":
            function = pick.choice(("and", "or", "not"))
            parts = [pick.choice((self.truth, self.truth, self.number))(inner) for _ in range(pick.choice((2, 3)))]
            return Apply(function, tuple(parts[:1] if function == "not" else parts))
        count = 2 if kind == "order" else pick.choice((2, 3, 7))
        function = pick.choice(ORDERS if kind == "order" else ("isIn", "isNotIn"))
        return Apply(function, tuple(self.number(inner) for _ in range(count)))


def forest(seed: int) -> Form:
    """Return a form of one forest; nodes lead to any of the nodes before them, missing numbers to a third one."""
    pick, wide = Random(seed), Random(seed).choice((1, 1, 2, 3))
    tests = pick.choice(((0,), (1,), (2,), (0, 1), (0, 1, 2)))
    bounds = pick.choice(((*VALUES[:14], np.inf), (0.0, 1.0, 2.0, 3.0, 31.0)))
    scores, rows = list[tuple[float, ...]](), list[tuple[Any, ...]]()
    for place in range(pick.randint(2, 30)):
        if place < 2 or pick.random() < 0.25:
            scores.append(tuple(pick.choice((0.1, 0.2, 1 / 3, 7.0, np.nan)) for _ in range(wide)))
            rows.append((-1, 0, 0.0, len(scores) - 1, 0, 0))
        else:
            yes, no, third = (pick.randrange(max(0, place - 4), place) for _ in range(3))
            rows.append((pick.randrange(3), pick.choice(tests), pick.choice(bounds), yes, no, pick.choice((yes, no, third))))  # fmt: skip
    roots = tuple(pick.randrange(len(rows)) for _ in range(pick.choice((1, 2, 5))))
    feature, test, value, yes_, no_, gap = zip(*rows, strict=True)
    names = tuple(f"score {place}" for place in range(wide))
    model = TreeModel(
        names, ("u", "f", "v"), roots, feature, test, value, yes_, no_, gap, tuple(scores), float(len(roots))
    )
    return check(Form(INPUTS, (model,), (Numbers("variable", names),)))


def columns(seed: int, rows: int) -> dict[str, Any]:
    """Return columns for the inputs, texts that no form knows among them."""
    rng = np.random.default_rng(seed)
    numbers = {name: rng.choice(VALUES, rows) for name in ("u", "f", "v")}
    return numbers | {name: rng.choice((*WORDS, "other"), rows) for name in ("s", "t")}
