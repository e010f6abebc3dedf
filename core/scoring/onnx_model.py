"""A form as an ONNX model that any ONNX Runtime since 1.20 runs: the numbers stay in float64 from the inputs to the answers.

A missing number is NaN. A missing text is one of the texts that the form says stand for one; ONNX has no other.
ai.onnx.ml 5 and IR 10 are the first that hold trees which compare and add up in float64; opset 21 came with them.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from core.domain.errors import Refused
from core.scoring.codes import UNKNOWN, Codes
from core.scoring.form import Field, Form, Label, Numbers, Step, texts
from core.scoring.onnx_expressions import number, shape
from core.scoring.onnx_graph import DOUBLE, INT64, Graph
from core.scoring.onnx_models import numbers
from core.scoring.signature import signature
from core.scoring.source import described

OPSET, TREES, IR = 21, 5, 10
PRODUCER = "portolan"
KINDS = {"float64": DOUBLE, "float32": 1, "int64": INT64, "str": 8}
"""ONNX's numbers of the types of a signature."""


def write(form: Form, opset: int = OPSET, answers: str = "float64") -> Any:
    """Return the model: inputs and answers are those of ``signature``, numbers in the type ``answers``. Raises Refused for what ONNX cannot hold."""
    from onnx import helper

    told = signature(described(form))
    graph = Graph([spec.name for spec in told.inputs])
    try:
        _inputs(graph, form, [spec.name for spec in told.inputs])
        steps(graph, form)
        names = [_answer(graph, output, KINDS[answers]) for output in form.outputs]
    except RecursionError:
        raise Refused("An expression of the model is nested too deep.", "Write it with fewer steps.") from None
    given = [answers if spec.dtype == "float64" else spec.dtype for spec in told.outputs]
    kinds = [(spec, KINDS[spec.dtype]) for spec in told.inputs]
    kinds += [(spec, KINDS[dtype]) for spec, dtype in zip(told.outputs, given, strict=True)]
    values = [
        helper.make_tensor_value_info(name, kind, list(spec.shape or ()))
        for name, (spec, kind) in zip([*(one.name for one in told.inputs), *names], kinds, strict=True)
    ]
    count = len(told.inputs)
    body = helper.make_graph(graph.nodes, "model", values[:count], values[count:], list(graph.constants.values()))
    sets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", TREES)]
    return helper.make_model(body, opset_imports=sets, producer_name=PRODUCER, ir_version=IR)


def _inputs(graph: Graph, form: Form, names: list[str]) -> None:
    """Place the columns: numbers in float64, and texts as codes without those that stand for a missing one."""
    codes, words = Codes(form), texts(form)
    groups = [form.inputs] if len(names) < len(form.inputs) else [(one,) for one in form.inputs]
    for name, columns in zip(names, groups, strict=True):
        are_texts = columns[0].name in words
        wide = (
            _coded(graph, name, codes)
            if are_texts
            else name
            if columns[0].dtype != "float"
            else graph.cast(name, DOUBLE)
        )
        graph.place(tuple(one.name for one in columns), wide)
        if are_texts and any(one.missing for one in columns):
            kept = [number(graph, (codes.kept(one.name, one.missing),)) for one in columns]
            graph.place(
                tuple(one.name for one in columns), kept[0] if len(kept) == 1 else graph.add("Concat", *kept, axis=1)
            )


def _coded(graph: Graph, name: str, codes: Codes) -> str:
    known = list(codes.known)
    found = graph.add(
        "LabelEncoder", name, domain="ai.onnx.ml",
        keys_strings=known, values_int64s=list(range(len(known))), default_int64=int(UNKNOWN),
    )  # fmt: skip
    return graph.cast(found, DOUBLE)


def steps(graph: Graph, form: Form) -> None:
    """Write the steps of a form whose inputs are placed. Raises Refused for what ONNX cannot hold."""
    codes = Codes(form)
    for group in _groups([codes.field(step) if isinstance(step, Field) else step for step in form.steps]):
        if not isinstance(group[0], Field):
            graph.place(group[0].names, numbers(graph, group[0]))
            continue
        fields = [step for step in group if isinstance(step, Field)]
        found = number(graph, [step.expression for step in fields])
        if not fields[0].fields:
            found = graph.add("Add", graph.nothing(), found)
        graph.place(tuple(step.name for step in fields), graph.rounded(found) if fields[0].dtype == "float" else found)


def _groups(row: list[Step]) -> Iterator[list[Step]]:
    """Yield models alone, and fields of one shape that stand in a row and do not need one another together."""
    group, made, kind = list[Step](), set[str](), None
    for step in row:
        now = (step.dtype, shape(step.expression), bool(step.fields)) if isinstance(step, Field) else object()
        if group and (now != kind or made.intersection(step.fields)):
            yield group
            group, made = [], set()
        kind = now
        group.append(step)
        made.update(step.names)
    if group:
        yield group


def _answer(graph: Graph, output: Label | Numbers, kind: int) -> str:
    """Add an answer under its own name, or under another where an input has that, and return it."""
    name, table = graph.free(output.name), graph.table(output.of)
    if not isinstance(output, Label):
        return graph.add("Cast", table, out=name, to=kind)
    sign = 1.0 if output.pick == "largest" else -1.0
    gone = graph.add("Where", graph.add("IsNaN", table), graph.constant(sign * np.inf), table)
    place = graph.add("ArgMax" if sign > 0 else "ArgMin", gone, axis=1, keepdims=0)
    if output.nothing is not None:
        gaps = graph.sum(graph.cast(graph.add("IsNaN", table), INT64), 1)
        none = graph.add("Greater", gaps, graph.constant(0, np.int64))
        place = graph.add("Where", none, graph.constant(len(output.categories), np.int64), place)
    is_text = isinstance(output.categories[0], str)
    return graph.add("Gather", graph.constant(output.choices, object if is_text else np.int64), place, out=name)
