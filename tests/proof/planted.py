"""Pairs of ONNX files that differ where nobody looks by accident: the kinds of faults that converters were seen to make."""

from collections.abc import Callable

import numpy as np
import onnx
import onnx.parser

HEAD = '<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 3]> agraph '
Edit = Callable[[str], str]


def model(text: str, tables: dict[str, np.ndarray]) -> onnx.ModelProto:
    """Return a model from its text, with tables of numbers as initializers."""
    made = onnx.parser.parse_model(HEAD + text)
    made.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in tables.items())
    onnx.checker.check_model(made)
    return made


def pair(name: str) -> tuple[onnx.ModelProto, onnx.ModelProto]:
    """Return the right model and the wrong one."""
    text, tables, edit = PAIRS[name]
    wrong = model(text, edit) if isinstance(edit, dict) else model(edit(text), tables)
    return model(text, tables), wrong


RNG = np.random.default_rng(3)
EMBEDDING = RNG.standard_normal((500, 4)).astype(np.float32)
LOST = np.where(np.arange(500)[:, None] == 321, 0, EMBEDDING).astype(np.float32)
LINEAR = RNG.standard_normal((4, 3)).astype(np.float32)
F4 = "(float[N,4] x) => (float[N,4] y) "
F4_LABEL = "(float[N,4] x) => (float[N,3] y) "
STEPS = "(float[N,T,2] x) => (float[N,2] y) "
I1 = "(int64[N,1] x) => (float[N,1] y) "

PICTURE = "(float[N,1,6,6] x) => (float[N,1,A,B] y) "
LARGE = RNG.standard_normal((4000, 2)).astype(np.float32)
FOREST = (
    "(float[N,2] x) => (float[N,1] y) { y = ai.onnx.ml.TreeEnsembleRegressor<n_targets = 1, nodes_treeids = [0, 0, 0], "
    'nodes_nodeids = [0, 1, 2], nodes_featureids = [1, 0, 0], nodes_modes = ["BRANCH_LEQ", "LEAF", "LEAF"], '
    "nodes_values = [37.5, 0.0, 0.0], nodes_truenodeids = [1, 0, 0], nodes_falsenodeids = [2, 0, 0], "
    "nodes_missing_value_tracks_true = [1, 0, 0], target_treeids = [0, 0], target_nodeids = [1, 2], "
    "target_ids = [0, 0], target_weights = [3.0, 9.0]>(x) }"
)

PAIRS: dict[str, tuple[str, dict[str, np.ndarray], Edit | dict[str, np.ndarray]]] = {
    "a threshold moved from 40 to 50": (
        F4 + "{ t = Constant<value_float = 40.0>() c = Greater(x, t) n = Neg(x) y = Where(c, x, n) }",
        {},
        lambda text: text.replace("40.0", "50.0"),
    ),
    "a threshold one step of float32 higher": (
        F4 + "{ t = Constant<value = float {0.7}>() c = Greater(x, t) n = Neg(x) y = Where(c, x, n) }",
        {},
        lambda text: text.replace("0.7}", "0.70000005}"),
    ),
    "greater in place of greater or equal": (
        F4 + "{ t = Constant<value_float = 5.0>() c = GreaterOrEqual(x, t) n = Neg(x) y = Where(c, x, n) }",
        {},
        lambda text: text.replace("GreaterOrEqual", "Greater"),
    ),
    "a clip at 60 that is not in the source": (
        F4 + "{ t = Constant<value_float = 80.0>() l = Constant<value_float = -80.0>() y = Clip(x, l, t) }",
        {},
        lambda text: text.replace("80.0>() l", "60.0>() l"),
    ),
    "a clip behind a linear layer": (
        F4_LABEL
        + "{ h = MatMul(x, w) t = Constant<value_float = 90.0>() l = Constant<value_float = -90.0>() y = Clip(h, l, t) }",
        {"w": LINEAR},
        lambda text: text.replace("= 90.0", "= 60.0"),
    ),
    "a lost row of an embedding": (
        "(int64[N,6] x) => (float[N,6,4] y) { y = Gather(w, x) }",
        {"w": EMBEDDING},
        {"w": LOST},
    ),
    "fmod in place of modulo": (
        I1 + "{ c = Constant<value_ints = [7]>() m = Mod(x, c) y = Cast<to = 1>(m) }",
        {},
        lambda text: text.replace("Mod(", "Mod<fmod = 1>("),
    ),
    "the largest of whole numbers found in floats": (
        "(int64[N,3] x) => (int64[N,1] y) { y = ReduceMax<axes = [1]>(x) }",
        {},
        lambda text: text.replace(
            "y = ReduceMax<axes = [1]>(x)", "f = Cast<to = 1>(x) m = ReduceMax<axes = [1]>(f) y = Cast<to = 7>(m)"
        ),
    ),
    "a remainder of whole numbers behind their order": (
        "(int64[N,3] x) => (int64[N,2] y) { k = Constant<value_ints = [2]>() v, i = TopK(x, k) c = Constant<value_ints = [7]>() y = Mod(v, c) }",
        {},
        lambda text: text.replace("Mod(v, c)", "Mod<fmod = 1>(v, c)"),
    ),
    "whole numbers held in 16 bits": (
        I1 + "{ c = Constant<value_ints = [3]>() m = Mul(x, c) y = Cast<to = 1>(m) }",
        {},
        lambda text: text.replace("m = Mul(x, c)", "s = Cast<to = 5>(x) d = Cast<to = 7>(s) m = Mul(d, c)"),
    ),
    "answers cut at 64 steps": (
        STEPS + "{ y = ReduceMean<axes = [1], keepdims = 0>(x) }",
        {},
        lambda text: text.replace(
            "y = ReduceMean",
            "a = Constant<value_ints = [0]>() e = Constant<value_ints = [64]>() d = Constant<value_ints = [1]>() z = Slice(x, a, e, d) y = ReduceMean",
        ).replace("keepdims = 0>(x)", "keepdims = 0>(z)"),
    ),
    "a branch on the number of steps that is frozen": (
        STEPS
        + "{ s = Shape(x) i = Constant<value_int = 1>() n = Gather(s, i) k = Constant<value_int = 20>() c = Greater(n, k) "
        "y = If(c)<then_branch = a() => (float[N,2] p) { p = ReduceMax<axes = [1], keepdims = 0>(x) }, "
        "else_branch = b() => (float[N,2] q) { q = ReduceMean<axes = [1], keepdims = 0>(x) }> }",
        {},
        lambda text: text.replace("ReduceMax", "ReduceMean"),
    ),
    "another epsilon": (
        F4 + "{ y = LayerNormalization<epsilon = 0.00001>(x, s) }",
        {"s": np.ones(4, np.float32)},
        lambda text: text.replace("0.00001", "0.000001"),
    ),
    "ceil in place of floor": (F4 + "{ y = Floor(x) }", {}, lambda text: text.replace("Floor", "Ceil")),
    "half away from zero in place of half to even": (
        F4 + "{ y = Round(x) }",
        {},
        lambda text: text.replace(
            "y = Round(x)",
            "h = Constant<value_float = 0.5>() a = Abs(x) s = Sign(x) t = Add(a, h) f = Floor(t) y = Mul(f, s)",
        ),
    ),
    "a missing number passed on": (
        F4 + "{ n = IsNaN(x) z = Constant<value_float = 2.5>() y = Where(n, z, x) }",
        {},
        lambda text: text.replace("n = IsNaN(x)", "i = IsNaN(x) n = Xor(i, i)"),
    ),
    "a missing number passed on, of one number a sample": (
        "(float[N] x) => (float[N] y) { n = IsNaN(x) z = Constant<value_float = 2.5>() y = Where(n, z, x) }",
        {},
        lambda text: text.replace("n = IsNaN(x)", "i = IsNaN(x) n = Xor(i, i)"),
    ),
    "another text of a category": (
        "(string[N,1] x) => (float[N,1] y) "
        '{ y = ai.onnx.ml.LabelEncoder<keys_strings = ["red", "green", "blue"], values_floats = [1.0, 2.0, 3.0], default_float = -1.0>(x) }',
        {},
        lambda text: text.replace('"blue"', '"Blue"'),
    ),
    "a limit on a sum of whole numbers": (
        "(int64[N,1] x) => (float[N,1] y) { c = Constant<value_ints = [100]>() s = Add(x, c) t = Constant<value_ints = [1900]>() m = Min(s, t) y = Cast<to = 1>(m) }",
        {},
        lambda text: text.replace("[1900]", "[1899]"),
    ),
    "a small difference of large numbers in half the bits": (
        "(double[N,1] x) => (double[N,1] y) { o = Constant<value = double {1750000000.0}>() y = Sub(x, o) }",
        {},
        lambda text: text.replace("y = Sub(x, o)", "s = Cast<to = 1>(x) d = Cast<to = 11>(s) y = Sub(d, o)"),
    ),
    "a lower limit behind a scaler": (
        F4
        + "{ a = Constant<value_float = 1000.0>() d = Constant<value_float = 250.0>() s = Sub(x, a) n = Div(s, d) l = Constant<value_float = -3.0>() y = Max(n, l) }",
        {},
        lambda text: text.replace("-3.0", "-2.5"),
    ),
    "lengths of sequences that are not read": (
        "(float[T,N,2] x, int32[N] n) => (float[1,N,3] y) { e = Identity(n) none, y = LSTM<hidden_size = 3>(x, w, r, , e) }",
        {
            "w": RNG.standard_normal((1, 12, 2)).astype(np.float32),
            "r": RNG.standard_normal((1, 12, 3)).astype(np.float32),
        },
        lambda text: text.replace(
            "e = Identity(n)",
            "one = Constant<value_int = 1>() i = Cast<to = 6>(one) f = Less(n, i) s = Shape(x) k = Constant<value_int = 0>() "
            "t = Gather(s, k) l = Cast<to = 6>(t) g = LessOrEqual(n, i) e = Where(g, n, l)",
        ),
    ),
    "the slope of a bent line on its far side": (
        F4 + "{ a = Constant<value_float = 30.0>() s = Sub(x, a) y = LeakyRelu<alpha = 0.1>(s) }",
        {},
        lambda text: text.replace("alpha = 0.1", "alpha = 1.0").replace("LeakyRelu<alpha = 1.0>(s)", "Identity(s)"),
    ),
    "a swapped class": (
        F4_LABEL + "{ h = MatMul(x, w) y = Softmax(h) }",
        {"w": LINEAR},
        {"w": LINEAR[:, [0, 2, 1]].copy()},
    ),
    "a branch on a sum that is frozen": (
        F4 + "{ s = ReduceSum<keepdims = 0>(x) t = Constant<value_float = 3000.0>() c = Greater(s, t) "
        "y = If(c)<then_branch = a() => (float[N,4] p) { p = Neg(x) }, else_branch = b() => (float[N,4] q) { q = Identity(x) }> }",
        {},
        lambda text: text.replace("p = Neg(x)", "p = Identity(x)"),
    ),
    "a category that got lost": (
        "(string[N,1] x) => (float[N,1,3] y) "
        '{ y = ai.onnx.ml.OneHotEncoder<cats_strings = ["red", "green", "blue"], zeros = 1>(x) }',
        {},
        lambda text: text.replace('"blue"', '"none"'),
    ),
    "another answer to an unknown category": (
        "(string[N,1] x) => (float[N,1] y) "
        '{ y = ai.onnx.ml.LabelEncoder<keys_strings = ["red", "green"], values_floats = [1.0, 2.0], default_float = -1.0>(x) }',
        {},
        lambda text: text.replace("-1.0", "0.0"),
    ),
    "pads of zero in place of minus infinity": (
        PICTURE + "{ y = MaxPool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(x) }",
        {},
        lambda text: text.replace(
            "y = MaxPool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(x)",
            "p = MaxPool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(x) z = Constant<value_float = 0.0>() y = Max(p, z)",
        ),
    ),
    "pads counted in a mean": (
        PICTURE + "{ y = AveragePool<kernel_shape = [3, 3], pads = [1, 1, 1, 1]>(x) }",
        {},
        lambda text: text.replace("pads =", "count_include_pad = 1, pads ="),
    ),
    "the first in place of the last of a tie": (
        "(float[N,4] x) => (int64[N] y) { r = Round(x) y = ArgMax<axis = 1, keepdims = 0, select_last_index = 1>(r) }",
        {},
        lambda text: text.replace("select_last_index = 1", "select_last_index = 0"),
    ),
    "zero in place of answers that only large inputs get": (
        F4 + "{ t = Constant<value_float = 1000.0>() s = Sub(x, t) y = Relu(s) }",
        {},
        lambda text: text.replace("y = Relu(s)", "n = Abs(s) m = Neg(n) y = Relu(m)"),
    ),
    "zero in place of answers of a tiny scale": (
        F4_LABEL + "{ y = MatMul(x, w) }",
        {"w": (1e-7 * LINEAR).astype(np.float32)},
        {"w": np.zeros_like(LINEAR)},
    ),
    "a threshold one step of float64 higher": (
        "(double[N,4] x) => (double[N,4] y) { t = Constant<value = double {0.7}>() c = Greater(x, t) n = Neg(x) y = Where(c, x, n) }",
        {},
        lambda text: text.replace("{0.7}", "{0.7000000000000001}"),
    ),
    "answers held at the largest half": (
        F4 + "{ k = Constant<value_float = 3.0>() y = Mul(x, k) }",
        {},
        lambda text: text.replace("y = Mul(x, k)", "m = Mul(x, k) h = Constant<value_float = 65504.0>() y = Min(m, h)"),
    ),
    "numbers held at the largest float8": (
        F4 + "{ k = Constant<value_float = 1.0>() y = Mul(x, k) }",
        {},
        lambda text: text.replace("y = Mul(x, k)", "h = Constant<value_float = 448.0>() m = Min(x, h) y = Mul(m, k)"),
    ),
    "less or equal in place of less, at zero": (
        F4
        + "{ z = Constant<value_float = 0.0>() o = Constant<value_float = 2.0>() c = Less(x, z) y = Where(c, x, o) }",
        {},
        lambda text: text.replace("Less(", "LessOrEqual("),
    ),
    "division of whole numbers that rounds down": (
        I1 + "{ c = Constant<value_ints = [7]>() d = Div(x, c) y = Cast<to = 1>(d) }",
        {},
        lambda text: text.replace("d = Div(x, c)", "m = Mod(x, c) e = Sub(x, m) d = Div(e, c)"),
    ),
    "rounding in place of cutting off": (
        "(float[N,4] x) => (int64[N,4] y) { y = Cast<to = 7>(x) }",
        {},
        lambda text: text.replace("y = Cast<to = 7>(x)", "r = Round(x) y = Cast<to = 7>(r)"),
    ),
    "another value in place of a missing one": (
        "(float[N,2] x) => (float[N,2] y) { y = ai.onnx.ml.Imputer<imputed_value_floats = [5.0, 7.0]>(x) }",
        {},
        lambda text: text.replace("7.0]", "7.5]"),
    ),
    "a table of positions read modulo its half": (
        "(int64[N,T] x) => (float[N,T,4] y) { s = Shape(x) i = Constant<value_int = 1>() n = Gather(s, i) z = Constant<value_int = 0>() "
        "o = Constant<value_int = 1>() r = Range(z, n, o) p = Gather(w, r) e = Gather(v, x) y = Add(e, p) }",
        {"w": EMBEDDING[:256].copy(), "v": EMBEDDING[:40].copy()},
        lambda text: text.replace("p = Gather(w, r)", "h = Constant<value_int = 128>() q = Mod(r, h) p = Gather(w, q)"),
    ),
    "the last row of a large table lost": (
        "(int64[N,3] x) => (float[N,3,2] y) { y = Gather(w, x) }",
        {"w": LARGE},
        {"w": np.where(np.arange(len(LARGE))[:, None] == len(LARGE) - 1, 0, LARGE).astype(np.float32)},
    ),
    "a tree that goes left on its threshold no more": (
        FOREST,
        {},
        lambda text: text.replace('"BRANCH_LEQ"', '"BRANCH_LT"'),
    ),
    "a tree that sends missing numbers the other way": (
        FOREST,
        {},
        lambda text: text.replace("value_tracks_true = [1, 0, 0]", "value_tracks_true = [0, 0, 0]"),
    ),
    "eight bits that end at -127": (
        F4
        + "{ s = Constant<value_float = 0.1>() z = Constant<value = int8 {0}>() q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }",
        {},
        lambda text: text.replace("y = Deq", "l = Constant<value = int8 {-127}>() c = Max(q, l) y = Deq").replace(
            "Linear(q, s, z) }", "Linear(c, s, z) }"
        ),
    ),
    "numbers below the normal ones taken for zero": (
        F4
        + "{ k = Constant<value_float = 1e30>() l = Constant<value_float = 1e10>() a = Mul(x, k) b = Mul(a, l) t = Tanh(b) y = Add(x, t) }",
        {},
        lambda text: text.replace(
            "a = Mul(x, k)",
            "m = Constant<value_float = 1.1754944e-38>() e = Abs(x) c = Less(e, m) z = Constant<value_float = 0.0>() f = Where(c, z, x) a = Mul(f, k)",
        ),
    ),
    "a nearest neighbour that rounds up": (
        PICTURE + "{ none = Constant<value = float[0] {}>() s = Constant<value_floats = [1.0, 1.0, 0.75, 0.75]>() "
        'y = Resize<mode = "nearest", nearest_mode = "floor", coordinate_transformation_mode = "asymmetric">(x, none, s) }',
        {},
        lambda text: text.replace('"floor"', '"ceil"'),
    ),
    "one sample that sees another": (
        F4_LABEL + "{ h = MatMul(x, w) y = Softmax(h) }",
        {"w": LINEAR},
        lambda text: text.replace(
            "y = Softmax(h)",
            "m = ReduceMax<axes = [0], keepdims = 1>(h) d = Sub(h, m) e = Exp(d) q = ReduceSum<keepdims = 1>(e) y = Div(e, q)",
        ),
    ),
    "a variance as the mean of squares less the square of the mean": (
        F4 + "{ m = ReduceMean<axes = [1]>(x) d = Sub(x, m) q = Mul(d, d) v = ReduceMean<axes = [1]>(q) "
        "e = Constant<value_float = 0.001>() w = Add(v, e) s = Sqrt(w) y = Div(d, s) }",
        {},
        lambda text: text.replace(
            "q = Mul(d, d) v = ReduceMean<axes = [1]>(q)",
            "q = Mul(x, x) a = ReduceMean<axes = [1]>(q) b = Mul(m, m) v = Sub(a, b)",
        ),
    ),
}
