"""Random ONNX graphs: a table, a picture, steps of a free number, or whole numbers, through a few operators."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper

from benchmarks.fuzz import draws
from benchmarks.fuzz.operators import MOST, OPERATORS
from benchmarks.fuzz.sketch import TYPES, Shape, Sketch, Value
from benchmarks.fuzz.specimen import Answer, Inputs, Question, Specimen, Unmade

TRIES = 60
SAMPLES = 40_000
PICTURES = 4_000
SHAKES = (*[1.2e-7] * 9, *[5e-7] * 6, *[2e-6] * 9)
"""How far numbers are moved behind each operator, in each of the graphs that answer for the source's own roundings: many, since of 16 samples the surest is told."""
BESIDE_ZERO = 256 * 2.0**-24
"""The share of a step that float32 rounds off where a zero point of 8 bits is added before the rounding."""
EXACT = frozenset(
    [
        "Relu",
        "Abs",
        "Neg",
        "Floor",
        "Ceil",
        "Round",
        "Sign",
        "Identity",
        "Clip",
        "Min",
        "Max",
        "Less",
        "LessOrEqual",
        "Greater",
        "GreaterOrEqual",
        "Equal",
        "Not",
        "And",
        "Or",
        "Xor",
        "Where",
        "Cast",
        "IsNaN",
        "IsInf",
        "Gather",
        "OneHot",
        "Slice",
        "Transpose",
        "Flatten",
        "Unsqueeze",
        "Reshape",
        "Tile",
        "Expand",
        "Concat",
        "Split",
        "ReduceMax",
        "ReduceMin",
        "ArgMax",
        "ArgMin",
        "TopK",
        "Hardmax",
        "MaxPool",
        "GlobalMaxPool",
        "Pad",
        "DepthToSpace",
        "SpaceToDepth",
        "Shape",
        "Range",
        "Trilu",
        "BitwiseAnd",
        "BitwiseOr",
        "BitwiseXor",
    ]
)
"""Operators that round nothing off."""


def made(seed: int, folder: Path) -> Specimen:
    """Draw one graph. Raises Unmade where ONNX Runtime does not run it."""
    rng = np.random.default_rng([seed, 1])
    sketch = Sketch(rng, int(rng.choice([13, 15, 17, 18, 19, 20, 21])))
    batch = int(rng.integers(1, 5)) if rng.random() < 0.12 else None
    inputs = [_input(sketch, place, batch) for place in range(int(rng.choice([1, 1, 1, 2])))]
    outputs = _grown(sketch, inputs)
    path = folder / "model.onnx"
    model = _model(sketch, inputs, outputs)
    path.write_bytes(model.SerializeToString())
    first = _runtime(path)
    fields = tuple(_field(value, sketch) for value in inputs)
    large = max(value.size for value in inputs) > 32

    def asked(dice: np.random.Generator) -> Iterator[Question]:
        return draws.questions(dice, fields, batch, most=(PICTURES if large else SAMPLES) // (20 if batch else 1))

    _tried(first, fields, batch)
    about = f"opset {sketch.opset}: " + " ".join(node.op_type for node in sketch.nodes)
    options = {"opset": int(rng.choice([o for o in (18, 20, 21, 23) if o > sketch.opset] or [23]))}
    return Specimen(
        path,
        "onnx",
        (first, _reference(path), _flushed(first)),
        asked,
        about,
        shaken=tuple(shaken(model, number, most) for number, most in enumerate(SHAKES)),
        exact=all(node.op_type in EXACT for node in model.graph.node),
        options=options,
    )


def _input(s: Sketch, place: int, batch: int | None) -> Value:
    lead: Shape = (batch or "N",)
    kind = str(s.pick("table", "table", "picture", "picture", "picture", "steps", "steps", "whole", "ids", "narrow"))
    shape: Shape = (s.whole(1, 8),)
    dtype = str(s.pick("float32", "float32", "float32", "float64"))
    if kind == "picture":
        shape, dtype = (s.whole(1, 4), s.whole(3, 9), s.whole(3, 9)), "float32"
    if kind == "steps":
        shape, dtype = ("T" if s.chance(0.6) else s.whole(2, 9), s.whole(1, 6)), "float32"
    if kind in ("whole", "ids"):
        dtype = str(s.pick("int64", "int64", "int32"))
    if kind == "narrow":
        dtype = str(s.pick("uint8", "bool", "float16"))
    return Value(f"in{place}", dtype, (*lead, *shape))


def _grown(s: Sketch, inputs: list[Value]) -> list[Value]:
    """Apply operators, mostly to the newest values, and return what nobody uses."""
    pool = list(inputs)
    wanted = s.whole(2, 9)
    for _ in range(TRIES):
        if len(pool) - len(inputs) >= wanted:
            break
        x = pool[-1 - min(len(pool) - 1, int(s.rng.geometric(0.6)) - 1)]
        x = s.cast(x, "float32") if x.dtype in ("float16", "uint8", "int8") and s.chance(0.6) else x
        x = _met(s, x, pool)
        made = OPERATORS[int(s.rng.integers(len(OPERATORS)))](s, x)
        if made is not None and made.size <= MOST and len(made.shape) <= 5:
            pool.append(made)
    loose = [value for value in pool if value.name not in s.used and value not in inputs]
    if not loose:
        raise Unmade("nothing was made")
    return loose[-3:]


def _met(s: Sketch, x: Value, pool: list[Value]) -> Value:
    """Return a value, at times joined with another of its shape first."""
    others = [one for one in pool if one.shape == x.shape and one.dtype == x.dtype and one.name != x.name]
    if not others or not s.chance(0.25):
        return x
    other = others[int(s.rng.integers(len(others)))]
    if x.dtype == "bool":
        return s.like(str(s.pick("And", "Or", "Xor")), x, other.name)
    if x.dtype in ("float32", "float64", "int64", "int32"):
        return s.like(str(s.pick("Add", "Sub", "Mul", "Min", "Max")), x, other.name)
    return x


def _model(s: Sketch, inputs: list[Value], outputs: list[Value]) -> onnx.ModelProto:
    told = [
        [helper.make_tensor_value_info(v.name, TYPES[v.dtype], list(v.shape)) for v in side]
        for side in (inputs, outputs)
    ]
    graph = helper.make_graph(s.nodes, "fuzz", told[0], told[1], s.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", s.opset)], ir_version=8)
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:
        raise Unmade(f"checker: {str(error)[:200]}") from None
    return model


def shaken(model: onnx.ModelProto, seed: int, most: float) -> Answer:
    """Return ONNX Runtime on the graph with each float32 number moved by at most this share, and as much, behind each operator, and before a quantisation by what its zero point hides."""
    inferred = onnx.shape_inference.infer_shapes(model)
    values = (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output)
    kinds = {v.name: v.type.tensor_type.elem_type for v in values}
    changed, nodes = onnx.ModelProto(), list[onnx.NodeProto]()
    scales = {one.name: onnx.numpy_helper.to_array(one).max(initial=0.0) for one in model.graph.initializer}
    changed.CopyFrom(model)
    for node in model.graph.node:
        floats = [name for name in node.output if kinds.get(name) == TYPES["float32"]]
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.output[:] = [f"{name}_exact" if name in floats else name for name in node.output]
        if node.op_type == "QuantizeLinear" and kinds.get(node.input[0]) == TYPES["float32"]:
            most_steps = BESIDE_ZERO * float(scales.get(node.input[1], 0.0))
            noise, moved = f"{copy.output[0]}_beside", f"{copy.output[0]}_moved"
            between: dict[str, Any] = {"low": -most_steps, "high": most_steps, "seed": _mixed(seed, len(nodes))}
            nodes.append(helper.make_node("RandomUniformLike", [node.input[0]], [noise], dtype=1, **between))
            nodes.append(helper.make_node("Add", [node.input[0], noise], [moved]))
            copy.input[0] = moved
        nodes.append(copy)
        for name in floats:
            share, more = f"{name}_share", f"{name}_more"
            for noise, low, high in ((share, 1 - most, 1 + most), (more, -most, most)):
                given: dict[str, Any] = {"low": low, "high": high, "seed": _mixed(seed, len(nodes))}
                nodes.append(helper.make_node("RandomUniformLike", [f"{name}_exact"], [noise], dtype=1, **given))
            nodes.append(helper.make_node("Mul", [f"{name}_exact", share], [f"{name}_scaled"]))
            nodes.append(helper.make_node("Add", [f"{name}_scaled", more], [name]))
    del changed.graph.node[:]
    changed.graph.node.extend(nodes)
    return _session(changed.SerializeToString())


def _mixed(seed: int, place: int) -> float:
    """Return a seed far from its neighbours: the first number that ONNX Runtime draws grows with the seed."""
    return float(np.random.default_rng([seed, place]).integers(2**24))


def _runtime(path: Path) -> Answer:
    """Return ONNX Runtime without a change to the graph."""
    return _session(path.read_bytes())


def _session(model: bytes) -> Answer:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise Unmade(f"runtime: {str(error)[:200]}") from None
    return lambda inputs: [np.asarray(one) for one in session.run(None, inputs)]


def _reference(path: Path) -> Answer:
    """Return the standard's own evaluator, made when it is first asked."""

    def answer(inputs: Inputs) -> list[np.ndarray]:
        from onnx.reference import ReferenceEvaluator

        return [np.asarray(one) for one in ReferenceEvaluator(str(path)).run(None, inputs)]

    return answer


def _flushed(answer: Answer) -> Answer:
    """Return the same with numbers below the smallest normal one set to zero, as engines may do."""

    def flushed(inputs: Inputs) -> list[np.ndarray]:
        import torch

        torch.set_flush_denormal(True)
        try:
            return answer(inputs)
        finally:
            torch.set_flush_denormal(False)

    return flushed


def _field(value: Value, s: Sketch) -> draws.Field:
    shape = tuple(None if isinstance(n, str) else n for n in value.shape[1:])
    return draws.Field(value.name, value.dtype, shape, hints=tuple(dict.fromkeys(s.hints))[:32])


def _tried(answer: Answer, fields: tuple[draws.Field, ...], batch: int | None) -> None:
    """Ask once. Raises Unmade where the graph cannot run."""
    rng = np.random.default_rng(0)
    for rows, free in ((batch or 3, 8), (batch or 1, 13)):
        shapes = [(rows, *(free if n is None else n for n in one.shape)) for one in fields]
        feed = {one.name: draws.drawn(rng, one, "ordinary", shape) for one, shape in zip(fields, shapes, strict=True)}
        try:
            answer(feed)
        except Exception as error:
            raise Unmade(f"run: {str(error)[:200]}") from None
