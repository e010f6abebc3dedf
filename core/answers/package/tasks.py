"""The task of a model as Python that travels with it: one function for each step of preprocessing, and the reading of answers.

Each step declares its code beside what it does (``Preprocessing.code``). What a stranger wrote, such as the names of
classes, stands in signature.json and never in code.
"""

import math
import re
import textwrap
from dataclasses import dataclass
from typing import Any

from core.decoding import DECODINGS
from core.domain.artifact import TensorSpec
from core.domain.conversion import Conversion
from core.domain.meaning import Reading
from core.domain.preprocessing import Kind
from core.domain.task import Task
from core.domain.transform import parse_options
from core.preprocessing import STEPS, normal, told

TOP = 5
"""Classes that a request may ask for."""
PLAIN = re.compile(r"[\w .,:()+-]*")


@dataclass(frozen=True)
class Travelling:
    """The task that travels with a model, whether it was guessed, and who says what the classes are called."""

    task: Task
    guessed: bool
    named: str = ""


@dataclass(frozen=True)
class Function:
    """One step as a function: its name, what it does in words, and its body, indented."""

    name: str
    words: str
    body: str


def of(made: Conversion, declared: Task | None) -> Travelling | None:
    """Return the task of an export: that by which its data were read, or else the one that its owner ``declared``; None where there is neither."""
    read, given = made.golden.evidence.task, made.data.task if made.data else None
    if read is not None:
        return Travelling(read, guessed=not (given and given.prepare))
    return Travelling(declared, guessed=False) if declared is not None and declared.prepare else None


def functions(task: Task) -> tuple[Function, ...] | str:
    """Return the steps as functions, or a sentence that says why there are none. Raises Refused for steps that do not fit each other."""
    found = []
    for number, step in enumerate(normal(task.prepare, Kind.FILE), 1):
        entry = STEPS[step.transform]
        options = parse_options(entry.Options, step.options)
        numbers = [value for value in vars(options).values() if isinstance(value, float)]
        body = entry.code(options) if all(map(math.isfinite, numbers)) else None
        if body is None:
            return f"The step {entry.title!r} has no form that can travel."
        words = " ".join(told(step).split())
        found.append(Function(f"step_{number}_{entry.id}", words if PLAIN.fullmatch(words) else entry.title, indented(body)))  # fmt: skip
    if task.decode is not None and DECODINGS[task.decode.transform].code() is None:
        return f"The decoding {DECODINGS[task.decode.transform].title!r} has no form that can travel."
    return tuple(found)


def facts(travelling: Travelling, outputs: tuple[TensorSpec, ...]) -> dict[str, Any]:
    """Return what the template of ``task.py`` needs."""
    task = travelling.task
    return {
        "guessed": travelling.guessed,
        "steps": functions(task),
        "says": str(Reading.of(task, outputs).says),
        "decode": indented(DECODINGS[task.decode.transform].code() or "") if task.decode else "",
        "top": TOP,
    }


def signature(travelling: Travelling, outputs: tuple[TensorSpec, ...]) -> dict[str, Any]:
    """Return what ``task.py`` reads in signature.json."""
    task = travelling.task
    decode = parse_options(DECODINGS[task.decode.transform].Options, task.decode.options) if task.decode else None
    return {
        "guessed": travelling.guessed,
        "steps": [told(step) for step in task.prepare],
        "classes": list(task.classes),
        "named": travelling.named,
        "decode": vars(decode) if decode else {},
        "place": Reading.of(task, outputs).place,
    }


def indented(body: str) -> str:
    """Return a body four spaces in, without the last line end."""
    return textwrap.indent(body, "    ").rstrip("\n")
