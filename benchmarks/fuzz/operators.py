"""Operators that a random graph is made of: each takes the sketch and a value, and returns a new value, or None where it does not fit."""

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import helper

from benchmarks.fuzz.sketch import TYPES, Sketch, Value

Operator = Callable[[Sketch, Value], Value | None]
MOST = 4096
"""Numbers that one sample of a value may hold."""


def unary(s: Sketch, x: Value) -> Value | None:
    """An activation, or a function whose argument is first brought where it is defined."""
    if not x.floats:
        return None
    plain = [
        "Relu",
        "Sigmoid",
        "Tanh",
        "Abs",
        "Neg",
        "Floor",
        "Ceil",
        "Round",
        "Sign",
        "Softsign",
        "HardSwish",
        "Identity",
    ]
    plain += ["Softplus", "Erf", "Sin", "Cos", "Atan", "Mish"] + (["Gelu"] if s.opset >= 20 else [])
    kind = s.pick(*plain, "Exp", "Log", "Sqrt", "Reciprocal", "LeakyRelu", "Elu", "Selu", "Celu", "HardSigmoid", "ThresholdedRelu", "Shrink")  # fmt: skip
    if kind in ("Log", "Sqrt", "Reciprocal"):
        near = s.node("Add", [s.like("Abs", x).name, s.constant(s.pick(1e-3, 0.5, 1.0), x.dtype)], x.shape, x.dtype)
        return s.like(kind, near)
    if kind == "Exp":
        return s.like("Exp", s.like("Clip", x, s.constant(-20, x.dtype), s.constant(s.whole(1, 10), x.dtype)))
    given: dict[str, float] = {}
    if kind in ("LeakyRelu", "Elu", "Celu", "ThresholdedRelu", "HardSigmoid"):
        given["alpha"] = float(np.float32(s.rng.uniform(0.05, 1.5)))
    if kind == "HardSigmoid":
        given["beta"] = float(np.float32(s.rng.uniform(0.0, 1.0)))
    if kind == "Shrink":
        given = {"lambd": float(s.whole(0, 4)) / 4, "bias": float(s.whole(0, 4)) / 4}
    if kind == "Gelu" and s.chance(0.5):
        return s.like(kind, x, approximate="tanh")
    needs = kind in ("Mish", "HardSwish", "ThresholdedRelu", "Shrink", "Celu", "Softplus", "Erf", "Elu", "Selu", "Atan", "Sin", "Cos")  # fmt: skip
    if x.dtype != "float32" and (needs or given):
        x = s.cast(x, "float32")
    return s.like(kind, x, **given)


def clip(s: Sketch, x: Value) -> Value | None:
    """A bound from below, from above, or both; sometimes the lower one is the higher."""
    if x.dtype == "bool" or x.dtype in ("int16",):
        return None
    low, high = s.number(), s.number()
    low, high = (low, high) if s.chance(0.05) else (min(low, high), max(low, high))
    if x.dtype == "uint8":
        low, high = abs(low), abs(high)
    ends = [s.constant(low, x.dtype), s.constant(high, x.dtype)]
    side = s.whole(0, 3)
    return s.like("Clip", x, *(["", ends[1]] if side == 0 else ends[:1] if side == 1 else ends))


def with_constant(s: Sketch, x: Value) -> Value | None:
    """Arithmetic with a constant on either side."""
    if x.dtype == "bool" or x.dtype in ("int16", "int8", "uint8"):
        return None
    kind = s.pick("Add", "Sub", "Mul", "Div", "Min", "Max", "Mod", "Pow")
    number = s.number() if x.floats else float(s.pick(-7, -3, -2, -1, 2, 3, 5, 10, 60, 1000))
    if kind in ("Div", "Mod") and not number:
        number = 2.0
    shape = [int(x.shape[-1])] if isinstance(x.shape[-1], int) and len(x.shape) > 1 and s.chance(0.4) else []
    values = (
        np.full(shape, number)
        if not x.floats or not shape or kind == "Mod"
        else number + s.rng.standard_normal(shape) * 0.25
    )
    if kind == "Pow":
        return s.like("Pow", s.like("Abs", x), s.constant(s.pick(2, 3, 0.5, 1.5), x.dtype)) if x.floats else None
    given = {"fmod": 1} if kind == "Mod" and (x.floats or s.chance(0.3)) else {}
    name = s.constant(values, x.dtype)
    if kind in ("Sub", "Min", "Max") and s.chance(0.3):
        return s.node(kind, [name, x.name], x.shape, x.dtype, **given)
    return s.like(kind, x, name, **given)


def compare(s: Sketch, x: Value) -> Value | None:
    """A comparison with a constant, or a test for what is no number."""
    if x.dtype == "bool" or x.dtype in ("int16", "int8", "uint8"):
        return None
    if x.floats and s.chance(0.15) and x.dtype == "float32":
        return s.node(s.pick("IsNaN", "IsInf"), [x.name], x.shape, "bool")
    kind = s.pick("Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal")
    value = s.constant(s.number() if x.floats else s.whole(-5, 60), x.dtype)
    return s.node(kind, [x.name, value], x.shape, "bool")


def logic(s: Sketch, x: Value) -> Value | None:
    """Not, or the truth as a number."""
    if x.dtype != "bool":
        return None
    return s.like("Not", x) if s.chance(0.4) else s.cast(x, s.pick("float32", "int64", "int32", "uint8"))


def choose(s: Sketch, x: Value) -> Value | None:
    """Where a value meets a condition, itself, else a number."""
    if x.dtype not in ("float32", "int64", "int32", "float64"):
        return None
    kind = s.pick("Less", "Greater", "GreaterOrEqual", "Equal")
    limit = s.constant(s.number() if x.floats else s.whole(-9, 100), x.dtype)
    test = s.node(kind, [x.name, limit], x.shape, "bool")
    other = s.constant(s.number(), x.dtype)
    sides = [x.name, other] if s.chance(0.5) else [other, x.name]
    return s.node("Where", [test.name, *sides], x.shape, x.dtype)


def cast(s: Sketch, x: Value) -> Value | None:
    """Another type; a fraction is cut off, a wide number bounded first where its cast would be undefined."""
    targets = [t for t in ("float32", "float64", "int32", "int64", "float16", "bool", "uint8") if t != x.dtype]
    target = s.pick(*targets)
    if x.floats and "int" in target:
        ends = (0, 255) if target == "uint8" else (-1000, 100_000)
        wide = s.cast(x, "float32")
        x = s.like("Clip", wide, s.constant(ends[0], "float32"), s.constant(ends[1], "float32"))
    elif target == "uint8" and x.integers and x.dtype != "int8":
        x = s.like("Clip", s.cast(x, "int64"), s.constant(0, "int64"), s.constant(255, "int64"))
    if target == "float16" and x.floats:
        x = s.like("Clip", x, s.constant(-1000, x.dtype), s.constant(1000, x.dtype))
    return s.cast(x, target)


def integers(s: Sketch, x: Value) -> Value | None:
    """Arithmetic that whole numbers alone know, or do otherwise."""
    if x.dtype not in ("int64", "int32"):
        return None
    kind = s.pick("Mod", "fmod", "Div", "Abs", "Neg", "Sign", "CumSum", "hash", "digits", "and", "Max")
    if kind in ("Abs", "Neg", "Sign"):
        return s.like(kind, x)
    if kind == "CumSum":
        return None if len(x.shape) < 2 else s.like("CumSum", x, s.constant(len(x.shape) - 1, "int64"), exclusive=s.whole(0, 1), reverse=s.whole(0, 1))  # fmt: skip
    number = s.constant(s.pick(-10, -3, 2, 3, 7, 10, 64, 100), x.dtype)
    if kind == "hash":
        mixed = s.like(
            "Add", s.like("Mul", x, s.constant(s.pick(31, 1103, 69069), x.dtype)), s.constant(s.whole(1, 99), x.dtype)
        )
        return s.like("Mod", mixed, s.constant(s.pick(97, 128, 1000), x.dtype))
    if kind == "digits":
        return s.like("Mod", s.like("Div", x, s.constant(10, x.dtype)), s.constant(10, x.dtype))
    if kind == "and":
        return (
            s.like(s.pick("BitwiseAnd", "BitwiseOr", "BitwiseXor"), x, s.constant(s.pick(1, 7, 12, 255), x.dtype))
            if s.opset >= 18
            else None
        )
    return s.like("Mod", x, number, fmod=1) if kind == "fmod" else s.like(kind, x, number)


def look_up(s: Sketch, x: Value) -> Value | None:
    """Rows of a table, by whole numbers brought within it."""
    if x.dtype not in ("int64", "int32") or x.size > 64:
        return None
    rows, width = s.whole(2, 40), s.whole(1, 6)
    within = (
        s.like("Mod", x, s.constant(rows, x.dtype))
        if s.chance(0.5)
        else s.like("Clip", x, s.constant(0, x.dtype), s.constant(rows - 1, x.dtype))
    )
    table = s.constant(s.weights(rows, width), "float32")
    if s.chance(0.2):
        return s.node("OneHot", [within.name, s.constant(rows, "int64"), s.constant([0, 1], "float32")], (*x.shape, rows), "float32")  # fmt: skip
    return s.node("Gather", [table, within.name], (*x.shape, width), "float32", axis=0)


def gather(s: Sketch, x: Value) -> Value | None:
    """Some places of an axis in a new order, counted from either end."""
    axis = _fixed(s, x)
    if axis is None:
        return None
    n = int(x.shape[axis])
    places = s.rng.integers(-n, n, s.whole(1, n + 1))
    return s.node("Gather", [x.name, s.constant(places, "int64")], _set(x, axis, len(places)), x.dtype, axis=axis)


def cut(s: Sketch, x: Value) -> Value | None:
    """A slice with a step of either sign, also from the end, also on a free axis."""
    axis = s.whole(1, len(x.shape) - 1) if len(x.shape) > 1 else None
    if axis is None or not isinstance(x.shape[axis], int):
        return None
    n = int(x.shape[axis])
    start, end, step = s.whole(-n - 1, n), s.whole(-n - 1, n + 2), s.pick(1, 1, 2, -1, -2)
    if step < 0:
        start, end = max(start, end), min(start, end)
    taken = (
        len(range(n)[slice(start, end if step > 0 or end >= -n else None, step)])
        if step > 0
        else len(np.arange(n)[start : (end if end >= -n else None) : step])
    )
    if taken < 1:
        return None
    ends = [s.constant([number], "int64") for number in (start, end, axis, step)]
    return s.node("Slice", [x.name, *ends], _set(x, axis, taken), x.dtype)


def arrange(s: Sketch, x: Value) -> Value | None:
    """The same numbers in another order or form."""
    kind, rank = s.pick("Transpose", "Flatten", "Unsqueeze", "Reshape", "Tile", "Expand"), len(x.shape)
    fixed = all(isinstance(n, int) for n in x.shape[1:])
    if kind == "Transpose" and rank >= 3:
        order = [0, *(1 + s.rng.permutation(rank - 1))]
        return s.node(
            "Transpose", [x.name], tuple(x.shape[int(n)] for n in order), x.dtype, perm=[int(n) for n in order]
        )
    if kind == "Flatten" and rank >= 3 and fixed:
        return s.node("Flatten", [x.name], (x.shape[0], x.size), x.dtype)
    if kind == "Unsqueeze" and rank <= 3:
        axis = s.whole(1, rank)
        return s.node(
            "Unsqueeze", [x.name, s.constant([axis], "int64")], (*x.shape[:axis], 1, *x.shape[axis:]), x.dtype
        )
    if kind == "Reshape" and rank == 2 and fixed and int(x.shape[1]) % 2 == 0:
        return s.node(
            "Reshape", [x.name, s.constant([0, 2, -1], "int64")], (x.shape[0], 2, int(x.shape[1]) // 2), x.dtype
        )
    if kind == "Tile" and fixed and rank >= 2 and x.size <= 64:
        return s.node(
            "Tile",
            [x.name, s.constant([1] * (rank - 1) + [2], "int64")],
            _set(x, rank - 1, 2 * int(x.shape[-1])),
            x.dtype,
        )
    if kind == "Expand" and rank >= 2 and x.shape[-1] == 1:
        return s.node("Expand", [x.name, s.constant([1] * (rank - 1) + [3], "int64")], _set(x, rank - 1, 3), x.dtype)
    return None


def join(s: Sketch, x: Value) -> Value | None:
    """A value beside a function of itself, along an axis."""
    if len(x.shape) < 2 or x.dtype != "float32" or not isinstance(x.shape[-1], int) or x.size > 512:
        return None
    other = s.like("Neg", x)
    return s.node("Concat", [x.name, other.name], _set(x, len(x.shape) - 1, 2 * int(x.shape[-1])), x.dtype, axis=-1)


def split(s: Sketch, x: Value) -> Value | None:
    """One part of an uneven split."""
    if (
        len(x.shape) < 2
        or not isinstance(x.shape[-1], int)
        or int(x.shape[-1]) < 3
        or x.dtype not in ("float32", "int64")
    ):
        return None
    n = int(x.shape[-1])
    first = s.whole(1, n - 1)
    sizes = s.constant([first, n - first], "int64")
    parts = s.several(
        "Split", [x.name, sizes], [(_set(x, len(x.shape) - 1, m), x.dtype) for m in (first, n - first)], axis=-1
    )
    return parts[s.whole(0, 1)]


def reduce(s: Sketch, x: Value) -> Value | None:
    """A sum, mean, extreme or norm over an axis that holds no samples."""
    if len(x.shape) < 2 or x.dtype not in ("float32", "int64", "int32"):
        return None
    kinds = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceSumSquare"]  # fmt: skip
    kind = s.pick(*(kinds if x.floats else ["ReduceSum", "ReduceMax", "ReduceMin"]))
    axis, keep = s.whole(1, len(x.shape) - 1), s.whole(0, 1)
    shape = (*x.shape[:axis], *([1] if keep else []), *x.shape[axis + 1 :])
    axis = axis - len(x.shape) if s.chance(0.3) else axis
    if kind == "ReduceSum" or s.opset >= 18:
        return s.node(kind, [x.name, s.constant([axis], "int64")], shape, x.dtype, keepdims=keep)
    return s.node(kind, [x.name], shape, x.dtype, keepdims=keep, axes=[axis])


def extreme(s: Sketch, x: Value) -> Value | None:
    """The place of the largest or smallest number, the first or the last of equal ones; or the largest few."""
    axis = _fixed(s, x)
    if axis is None or x.dtype not in ("float32", "int64", "int32"):
        return None
    if s.chance(0.3):
        few = s.whole(1, int(x.shape[axis]))
        shape = _set(x, axis, few)
        found = s.several(
            "TopK",
            [x.name, s.constant([few], "int64")],
            [(shape, x.dtype), (shape, "int64")],
            axis=axis,
            largest=s.whole(0, 1),
        )
        return found[s.whole(0, 1)]
    keep = s.whole(0, 1)
    shape = (*x.shape[:axis], *([1] if keep else []), *x.shape[axis + 1 :])
    return s.node(
        s.pick("ArgMax", "ArgMin"),
        [x.name],
        shape,
        "int64",
        axis=axis,
        keepdims=keep,
        select_last_index=s.whole(0, 1),
    )


def softmax(s: Sketch, x: Value) -> Value | None:
    """Shares along one axis."""
    if x.dtype != "float32" or len(x.shape) < 2:
        return None
    return s.like(
        s.pick("Softmax", "Softmax", "LogSoftmax", "Hardmax"), x, axis=s.pick(-1, s.whole(1, len(x.shape) - 1))
    )


def normalise(s: Sketch, x: Value) -> Value | None:
    """A normalisation with an epsilon of any size."""
    if x.dtype != "float32" or len(x.shape) < 2 or not isinstance(x.shape[-1], int) or int(x.shape[-1]) < 2:
        return None
    eps, n = s.pick(1e-12, 1e-5, 1e-3, 0.1), int(x.shape[-1])
    kind = s.pick("Layer", "Lp", "Batch", "Instance", "LRN")
    if kind == "Layer" and s.opset >= 17:
        scale, bias = s.constant(1 + s.rng.standard_normal(n) / 4, "float32"), s.constant(s.weights(n), "float32")
        return s.like("LayerNormalization", x, scale, *([bias] if s.chance(0.7) else []), axis=-1, epsilon=eps)
    if kind == "Lp":
        return s.like(
            "LpNormalization", s.like("Add", s.like("Abs", x), s.constant(0.1, "float32")), axis=-1, p=s.whole(1, 2)
        )
    if not isinstance(x.shape[1], int) or len(x.shape) < (2 if kind == "Batch" else 3 if kind == "Instance" else 4):
        return None
    c = int(x.shape[1])
    scale, bias = s.constant(1 + s.rng.standard_normal(c) / 4, "float32"), s.constant(s.weights(c), "float32")
    if kind == "Batch":
        mean, var = s.constant(s.weights(c), "float32"), s.constant(s.rng.uniform(0, 2, c), "float32")
        return s.like("BatchNormalization", x, scale, bias, mean, var, epsilon=max(eps, 1e-5))
    if kind == "Instance":
        return s.like("InstanceNormalization", x, scale, bias, epsilon=eps)
    return s.like("LRN", x, size=s.whole(1, min(5, c)), alpha=0.01, beta=0.75, bias=float(s.pick(1.0, 2.0)))


def linear(s: Sketch, x: Value) -> Value | None:
    """A linear layer, as Gemm or as a product and a sum."""
    if x.dtype != "float32" or len(x.shape) < 2 or not isinstance(x.shape[-1], int) or int(x.shape[-1]) > 256:
        return None
    n, m = int(x.shape[-1]), s.whole(1, 8)
    if len(x.shape) == 2 and s.chance(0.6):
        given = {"alpha": float(s.pick(1.0, 0.5, 2.0)), "beta": float(s.pick(1.0, 0.25)), "transB": s.whole(0, 1)}
        w = s.weights(m, n) if given["transB"] else s.weights(m, n).T
        return s.node(
            "Gemm",
            [x.name, s.constant(w, "float32"), s.constant(s.weights(m), "float32")],
            (x.shape[0], m),
            "float32",
            **given,
        )
    return s.node("MatMul", [x.name, s.constant(s.weights(m, n).T, "float32")], (*x.shape[:-1], m), "float32")


def convolve(s: Sketch, x: Value) -> Value | None:
    """A convolution with uneven pads, steps, gaps and groups; sometimes the other way round."""
    if not _picture(x):
        return None
    c, h, w = (int(n) for n in x.shape[1:])
    out, k = s.whole(1, 4), (s.whole(1, min(3, h)), s.whole(1, min(3, w)))
    pads = [s.whole(0, 2) for _ in range(4)]
    stride, gap = (s.whole(1, 2), s.whole(1, 2)), (s.whole(1, 2), s.whole(1, 2))
    bias = [s.constant(s.weights(out), "float32")] if s.chance(0.6) else []
    if s.chance(0.2):
        extra = [s.whole(0, t - 1) for t in stride]
        size = [t * (n - 1) + e + (m - 1) * g + 1 - pads[i] - pads[i + 2] for i, (t, n, e, m, g) in enumerate(zip(stride, (h, w), extra, k, gap, strict=True))]  # fmt: skip
        if min(size) < 1:
            return None
        return s.node("ConvTranspose", [x.name, s.constant(s.weights(c, out, *k), "float32"), *bias], (x.shape[0], out, *size), "float32", pads=pads, strides=list(stride), dilations=list(gap), output_padding=extra)  # fmt: skip
    groups = c if s.chance(0.2) else 1
    out = out * groups if groups > 1 else out
    size = [
        (n + pads[i] + pads[i + 2] - (m - 1) * g - 1) // t + 1
        for i, (t, n, m, g) in enumerate(zip(stride, (h, w), k, gap, strict=True))
    ]
    if min(size) < 1:
        return None
    return s.node("Conv", [x.name, s.constant(s.weights(out, c // groups, *k), "float32"), *([] if groups > 1 else bias)], (x.shape[0], out, *size), "float32", pads=pads, strides=list(stride), dilations=list(gap), group=groups)  # fmt: skip


def pool(s: Sketch, x: Value) -> Value | None:
    """A pooling with uneven pads and a last window that is cut off or not."""
    if not _picture(x):
        return None
    h, w = (int(n) for n in x.shape[2:])
    if s.chance(0.15):
        return s.node(s.pick("GlobalAveragePool", "GlobalMaxPool"), [x.name], (*x.shape[:2], 1, 1), "float32")
    k = [s.whole(1, min(3, h)), s.whole(1, min(3, w))]
    pads = [s.whole(0, n - 1) for n in (*k, *k)]
    stride, ceil = [s.whole(1, 3), s.whole(1, 3)], s.whole(0, 1)
    size = [_pooled(n, k[i], pads[i], pads[i + 2], stride[i], ceil) for i, n in enumerate((h, w))]
    kind = s.pick("MaxPool", "AveragePool", "LpPool")
    if min(size) < 1 or (kind == "LpPool" and s.opset < 18 and ceil):
        return None
    given = (
        {"count_include_pad": s.whole(0, 1)}
        if kind == "AveragePool"
        else {"p": s.whole(1, 2)}
        if kind == "LpPool"
        else {}
    )
    if kind != "LpPool" or s.opset >= 18:
        given["ceil_mode"] = ceil
    return s.node(kind, [x.name], (*x.shape[:2], *size), "float32", kernel_shape=k, pads=pads, strides=stride, **given)


def _pooled(n: int, k: int, before: int, after: int, stride: int, ceil: int) -> int:
    whole = n + before + after - k
    size = -(-whole // stride) + 1 if ceil else whole // stride + 1
    return size - 1 if ceil and (size - 1) * stride >= n + before else size


def resize(s: Sketch, x: Value) -> Value | None:
    """A picture at another size, by any rule for places and roundings."""
    if not _picture(x):
        return None
    mode = s.pick("nearest", "linear", "cubic")
    given: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": s.pick("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")}  # fmt: skip
    if mode == "nearest":
        given["nearest_mode"] = s.pick("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
    if mode == "cubic":
        given["cubic_coeff_a"] = s.pick(-0.75, -0.5)
    size = [max(1, int(int(n) * s.pick(0.5, 1.5, 2, 3))) for n in x.shape[2:]]
    if s.chance(0.5):
        sizes = s.node("Concat", [_samples(s, x), s.constant([x.shape[1], *size], "int64")], (4,), "int64", axis=0)
        return s.node("Resize", [x.name, "", "", sizes.name], (*x.shape[:2], *size), "float32", **given)
    scale = [s.pick(1, 2, 3), s.pick(1, 2, 3)]
    return s.node("Resize", [x.name, "", s.constant([1, 1, *scale], "float32")], (*x.shape[:2], *(int(n) * f for n, f in zip(x.shape[2:], scale, strict=True))), "float32", **given)  # fmt: skip


def _samples(s: Sketch, x: Value) -> str:
    shape = s.node("Shape", [x.name], (len(x.shape),), "int64")
    return s.node("Gather", [shape.name, s.constant([0], "int64")], (1,), "int64", axis=0).name


def pad(s: Sketch, x: Value) -> Value | None:
    """A margin of a constant, of mirrored numbers, or of the last ones."""
    if (
        x.dtype not in ("float32", "int64")
        or len(x.shape) < 2
        or not isinstance(x.shape[-1], int)
        or int(x.shape[-1]) < 3
    ):
        return None
    mode = s.pick("constant", "reflect", "edge")
    before, after = s.whole(0, 2), s.whole(0, 2)
    pads = [0] * (len(x.shape) - 1) + [before] + [0] * (len(x.shape) - 1) + [after]
    more = [s.constant(s.number(), x.dtype)] if mode == "constant" else []
    return s.node("Pad", [x.name, s.constant(pads, "int64"), *more], _set(x, len(x.shape) - 1, int(x.shape[-1]) + before + after), x.dtype, mode=mode)  # fmt: skip


def blocks(s: Sketch, x: Value) -> Value | None:
    """Places become channels, or channels places."""
    if not _picture(x):
        return None
    c, h, w = (int(n) for n in x.shape[1:])
    if c % 4 == 0:
        return s.node(
            "DepthToSpace",
            [x.name],
            (x.shape[0], c // 4, 2 * h, 2 * w),
            "float32",
            blocksize=2,
            mode=s.pick("DCR", "CRD"),
        )
    return (
        s.node("SpaceToDepth", [x.name], (x.shape[0], 4 * c, h // 2, w // 2), "float32", blocksize=2)
        if h % 2 == w % 2 == 0
        else None
    )


def recur(s: Sketch, x: Value) -> Value | None:
    """A recurrent layer over the steps, in one or both directions."""
    if x.dtype != "float32" or len(x.shape) != 3 or not isinstance(x.shape[2], int) or int(x.shape[2]) > 16:
        return None
    kind = s.pick("LSTM", "GRU", "RNN")
    gates, ways, hidden, n = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind], s.whole(1, 2), s.whole(1, 4), int(x.shape[2])
    steps_first = s.node("Transpose", [x.name], (x.shape[1], x.shape[0], n), "float32", perm=[1, 0, 2])
    parts = [
        s.weights(ways, gates * hidden, n),
        s.weights(ways, gates * hidden, hidden),
        s.weights(ways, 2 * gates * hidden),
    ]
    given: dict[str, Any] = {
        "hidden_size": hidden,
        "direction": "bidirectional" if ways == 2 else s.pick("forward", "reverse"),
    }
    if kind == "GRU":
        given["linear_before_reset"] = s.whole(0, 1)
    y = s.node(
        kind,
        [steps_first.name, *(s.constant(part, "float32") for part in parts)],
        (x.shape[1], ways, x.shape[0], hidden),
        "float32",
        **given,
    )
    turned = s.node("Transpose", [y.name], (x.shape[0], x.shape[1], ways, hidden), "float32", perm=[2, 0, 1, 3])
    return s.node(
        "Reshape",
        [turned.name, s.constant([0, 0, ways * hidden], "int64")],
        (x.shape[0], x.shape[1], ways * hidden),
        "float32",
    )


def by_size(s: Sketch, x: Value) -> Value | None:
    """Arithmetic with the number of steps or samples, as positions, masks and means have it."""
    free = [place for place, n in enumerate(x.shape) if isinstance(n, str)]
    if x.dtype != "float32" or not free:
        return None
    axis = s.pick(*free)
    shape = s.node("Shape", [x.name], (len(x.shape),), "int64")
    count = s.node("Gather", [shape.name, s.constant(axis, "int64")], (), "int64", axis=0)
    if x.shape[axis] == "T" and len(x.shape) == 3 and s.chance(0.6):
        places = s.node("Range", [s.constant(0, "int64"), count.name, s.constant(1, "int64")], ("T",), "int64")
        if s.chance(0.5):
            places = s.like("Min", places, s.constant(s.pick(6, 12, 20, 40), "int64"))
        column = s.node("Unsqueeze", [s.cast(places, "float32").name, s.constant([1], "int64")], ("T", 1), "float32")
        return s.like("Add", x, s.like("Mul", column, s.constant(0.125, "float32")).name)
    kept = s.like("Min", count, s.constant(s.pick(2, 5, 12, 64), "int64")) if s.chance(0.5) else count
    return s.like(s.pick("Div", "Add", "Mul"), x, s.cast(kept, "float32").name)


def branch(s: Sketch, x: Value) -> Value | None:
    """One of two ways, by a sum, a size or a mean."""
    if x.dtype != "float32":
        return None
    if s.chance(0.5):
        total = s.node(s.pick("ReduceSum", "ReduceMax", "ReduceMean"), [x.name], (), "float32", keepdims=0)
        test = s.node(s.pick("Greater", "Less"), [total.name, s.constant(s.number(), "float32")], (), "bool")
    else:
        count = s.node("Gather", [s.node("Shape", [x.name], (len(x.shape),), "int64").name, s.constant(s.whole(0, len(x.shape) - 1), "int64")], (), "int64", axis=0)  # fmt: skip
        test = s.node(s.pick("Greater", "Less"), [count.name, s.constant(s.pick(1, 2, 6, 10, 30), "int64")], (), "bool")
    out = s.name()
    ways = []
    for name in ("then", "else"):
        inner, value = f"{out}_{name}", s.constant(s.number() or 1.0, "float32")
        node = helper.make_node(s.pick("Mul", "Add", "Max", "Sub"), [x.name, value], [inner])
        ways.append(helper.make_graph([node], name, [], [helper.make_tensor_value_info(inner, TYPES["float32"], None)]))
    s.used.add(x.name)
    s.nodes.append(helper.make_node("If", [test.name], [out], then_branch=ways[0], else_branch=ways[1]))
    s.used.add(test.name)
    return Value(out, "float32", x.shape)


def repeat(s: Sketch, x: Value) -> Value | None:
    """A loop that changes a value a few times, or until it is large."""
    if x.dtype != "float32":
        return None
    out, value = s.name(), s.constant(s.pick(0.5, 0.25, -0.5, 1.5), "float32")
    nodes = [helper.make_node(s.pick("Mul", "Add"), [f"{out}_in", value], [f"{out}_next"])]
    nodes.append(helper.make_node("Identity", [f"{out}_go"], [f"{out}_on"]))
    known = [
        helper.make_tensor_value_info(f"{out}_i", TYPES["int64"], []),
        helper.make_tensor_value_info(f"{out}_go", TYPES["bool"], []),
    ]
    body = helper.make_graph(
        nodes, "body", [*known, helper.make_tensor_value_info(f"{out}_in", TYPES["float32"], None)],
        [helper.make_tensor_value_info(f"{out}_on", TYPES["bool"], []), helper.make_tensor_value_info(f"{out}_next", TYPES["float32"], None)],
    )  # fmt: skip
    s.nodes.append(
        helper.make_node(
            "Loop", [s.constant(s.whole(1, 4), "int64"), s.constant(True, "bool"), x.name], [out], body=body
        )
    )
    s.used.add(x.name)
    return Value(out, "float32", x.shape)


def quantise(s: Sketch, x: Value) -> Value | None:
    """Eight bits and back."""
    if x.dtype != "float32":
        return None
    kind = s.pick("uint8", "int8")
    scale = s.constant(s.pick(0.125, 0.05, 1.0), "float32")
    zero = s.constant(s.whole(100, 140) if kind == "uint8" else s.whole(-10, 10), kind)
    q = s.node("QuantizeLinear", [x.name, scale, zero], x.shape, kind)
    return s.node("DequantizeLinear", [q.name, scale, zero], x.shape, "float32")


def attend(s: Sketch, x: Value) -> Value | None:
    """Attention of steps to one another, with or without a mask."""
    if x.dtype != "float32" or len(x.shape) != 3 or not isinstance(x.shape[2], int) or int(x.shape[2]) > 16:
        return None
    n, t = int(x.shape[2]), x.shape[1]
    q, k = (s.node("MatMul", [x.name, s.constant(s.weights(n, n), "float32")], x.shape, "float32") for _ in range(2))
    turned = s.node("Transpose", [k.name], (x.shape[0], n, t), "float32", perm=[0, 2, 1])
    scores = s.node("MatMul", [q.name, turned.name], (x.shape[0], t, t), "float32")
    scaled = s.like("Div", scores, s.constant(np.sqrt(n), "float32"))
    if s.opset >= 14 and s.chance(0.4):
        scaled = s.like("Trilu", scaled, upper=s.whole(0, 1))
    shares = s.like("Softmax", scaled, axis=-1)
    return s.node("MatMul", [shares.name, x.name], x.shape, "float32")


def _picture(x: Value) -> bool:
    return (
        x.dtype == "float32" and len(x.shape) == 4 and all(isinstance(n, int) for n in x.shape[1:]) and x.size <= MOST
    )


def _fixed(s: Sketch, x: Value) -> int | None:
    """Return an axis behind the samples whose size is known."""
    axes = [place for place, n in enumerate(x.shape) if place and isinstance(n, int)]
    return s.pick(*axes) if axes else None


def _set(x: Value, axis: int, size: int) -> tuple[int | str, ...]:
    return (*x.shape[:axis], size, *x.shape[axis + 1 :])


OPERATORS: tuple[Operator, ...] = (
    unary, unary, unary, clip, with_constant, with_constant, compare, logic, choose, cast, integers, integers, look_up, gather, cut,
    arrange, join, split, reduce, extreme, softmax, normalise, linear, linear, convolve, convolve, pool, pool, resize, pad, blocks,
    recur, by_size, branch, repeat, quantise, attend,
)  # fmt: skip
