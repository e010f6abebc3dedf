"""Small models of every kind that people bring: where their weights lie, of which types, beside which operators."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, parser

from tests.techniques.samples import in_constants

ROWS = 48
Stranger = Callable[[Path], dict[str, Any]]
"""Writes a model and returns samples for its inputs."""

LINEAR = """<ir_version: 8, opset_import: ["" : %s]>
linear (float[N, 40] x) => (float[N, 10] y) {
    h = Gemm <transB = 1> (x, w1, b1)
    r = Relu (h)
    y = Gemm <transB = 1> (r, w2, b2)
}"""
SHAPES = {"w1": (64, 40), "b1": (64,), "w2": (10, 64), "b2": (10,)}


def rng() -> Any:
    """Return the one generator that all models draw from, at its start."""
    return np.random.default_rng(7)


def filled(text: str, shapes: dict[str, tuple[int, ...]], dtype: Any = np.float32) -> onnx.ModelProto:
    """Parse a model and give it weights of these names and shapes."""
    model, draw = parser.parse_model(text), rng()
    for name, shape in shapes.items():
        array = draw.normal(size=shape) / np.sqrt(max(shape[-1] if shape else 1, 1))
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(array, dtype), name))
    return model


def rows(*shape: int, dtype: Any = np.float32) -> Any:
    """Return samples [48, *shape]."""
    return rng().normal(size=(ROWS, *shape)).astype(dtype)


def linear(path: Path, opset: int = 17) -> dict[str, Any]:
    """Two linear layers."""
    onnx.save(filled(LINEAR % opset, SHAPES), path)
    return {"x": rows(40)}


def constants(path: Path) -> dict[str, Any]:
    """Weights in Constant nodes."""
    samples = linear(path)
    in_constants(path, path)
    return samples


def old(path: Path) -> dict[str, Any]:
    """Opset 7 and IR 3, where each weight is listed among the inputs too."""
    model = filled(LINEAR % 7, SHAPES)
    model.ir_version = 3
    model.graph.input.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in SHAPES.items())
    onnx.save(model, path)
    return {"x": rows(40)}


def overridable(path: Path) -> dict[str, Any]:
    """Weights that are inputs with a default."""
    model = filled(LINEAR % 17, SHAPES)
    model.graph.input.extend(helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in SHAPES.items())
    onnx.save(model, path)
    return {"x": rows(40)}


def branches(path: Path) -> dict[str, Any]:
    """Weights inside the branches of an If, as silero has them."""
    text = """<ir_version: 8, opset_import: ["" : 16]>
    m (float[N, 40] x, int64 rate) => (float[N, 64] y) <int64 usual = {16000}> {
        yes = Equal (rate, usual)
        y = If (yes) <then_branch = a () => (float[N, 64] z) { z = MatMul (x, w1) },
                      else_branch = b () => (float[N, 64] z) { t = MatMul (x, w2) z = Relu (t) }>
    }"""
    model = parser.parse_model(text)
    branch = {a.name: a.g for a in next(n for n in model.graph.node if n.op_type == "If").attribute}
    draw = rng()
    for graph, name in ((branch["then_branch"], "w1"), (branch["else_branch"], "w2")):
        graph.initializer.append(numpy_helper.from_array(draw.normal(size=(40, 64)).astype(np.float32), name))
    onnx.save(model, path)
    return {"x": rows(40), "rate": np.full(ROWS, 16000)}


def int8(path: Path) -> dict[str, Any]:
    """A file that is quantized already."""
    text = """<ir_version: 8, opset_import: ["" : 17]>
    m (float[N, 40] x) => (float[N, 64] y) <float s = {0.02}, uint8 z = {128}, float sw = {0.01}, int8 zw = {0}> {
        q = QuantizeLinear (x, s, z)
        a = DequantizeLinear (q, s, z)
        b = DequantizeLinear (w, sw, zw)
        y = MatMul (a, b)
    }"""
    model = parser.parse_model(text)
    values = rng().integers(-127, 128, (40, 64)).astype(np.int8)
    model.graph.initializer.append(numpy_helper.from_array(values, "w"))
    onnx.save(model, path)
    return {"x": rows(40)}


def masked(path: Path) -> dict[str, Any]:
    """A mask of minus infinity among the constants."""
    text = """<ir_version: 8, opset_import: ["" : 17]>
    m (float[N, 40] x) => (float[N, 24, 24] y) { h = MatMul (x, w1)  v = Unsqueeze (h, at)  s = Add (v, mask)  y = Softmax <axis = -1> (s) }"""
    model = filled(text, {"w1": (40, 24)})
    mask = np.where(np.tri(24), 0, -np.inf).astype(np.float32)
    model.graph.initializer.extend(
        [numpy_helper.from_array(mask, "mask"), numpy_helper.from_array(np.array([1]), "at")]
    )
    onnx.save(model, path)
    return {"x": rows(40)}


def sliced(path: Path) -> dict[str, Any]:
    """One matrix of which four parts are cut out, two of them twice, as exporters write the gates of an LSTM."""
    text = """<ir_version: 8, opset_import: ["" : 17]>
    m (float[N, 40] x) => (float[N, 32] y) <int64[1] o = {0}, int64[1] a = {32}, int64[1] e = {64}, int64[1] d = {1}> {
        p = Slice (w, o, a, d)  q = Slice (w, a, e, d)  r = Slice (w, o, a, d)  s = Slice (w, a, e, d)
        f = MatMul (x, p)  g = MatMul (x, q)  h = MatMul (x, r)  i = MatMul (x, s)
        j = Add (f, g)  k = Add (h, i)  y = Mul (j, k)
    }"""
    onnx.save(filled(text, {"w": (40, 64)}), path)
    return {"x": rows(40)}


def stale(path: Path) -> dict[str, Any]:
    """A list of shapes that is wrong, as exporters leave it behind."""
    linear(path)
    model = onnx.load(path)
    model.graph.value_info.append(helper.make_tensor_value_info("h", TensorProto.FLOAT, ["N", 7]))
    model.graph.value_info.append(helper.make_tensor_value_info("w1", TensorProto.FLOAT, [40, 64]))
    onnx.save(model, path)
    return {"x": rows(40)}


def two_inputs(path: Path) -> dict[str, Any]:
    """Two inputs that meet, and two outputs."""
    text = """<ir_version: 8, opset_import: ["" : 17]>
    m (float[N, 40] a, float[N, 24] b) => (float[N, 64] y, float[N, 16] z) {
        p = MatMul (a, w1)  q = MatMul (b, w2)  s = Add (p, q)  y = Tanh (s)  z = MatMul (y, w3)
    }"""
    onnx.save(filled(text, {"w1": (40, 64), "w2": (24, 64), "w3": (64, 16)}), path)
    return {"a": rows(40), "b": rows(24)}


def tokens(path: Path) -> dict[str, Any]:
    """Token ids looked up in a table, one attention head, and a mean over the text."""
    text = """<ir_version: 8, opset_import: ["" : 17]>
    m (int64[N, T] ids) => (float[N, 6] y) <float root = {0.176}> {
        e = Gather (table, ids)
        q = MatMul (e, wq)  k = MatMul (e, wk)  v = MatMul (e, wv)
        kt = Transpose <perm = [0, 2, 1]> (k)
        s = MatMul (q, kt)  t = Mul (s, root)  p = Softmax <axis = -1> (t)
        c = MatMul (p, v)  m = ReduceMean <axes = [1], keepdims = 0> (c)
        y = MatMul (m, wo)
    }"""
    shapes = {"table": (300, 32), "wq": (32, 32), "wk": (32, 32), "wv": (32, 32), "wo": (32, 6)}
    onnx.save(filled(text, shapes), path)
    return {"ids": rng().integers(0, 300, (ROWS, 9))}


def trees(path: Path) -> dict[str, Any]:
    """A small forest, as skl2onnx writes it."""
    from skl2onnx import to_onnx
    from sklearn.ensemble import RandomForestClassifier

    x, forest = rows(6), RandomForestClassifier(n_estimators=8, max_depth=5, random_state=1)
    forest.fit(x, (x[:, 0] * x[:, 1] > 0).astype(int))
    onnx.save(to_onnx(forest, x[:1], options={"zipmap": False}), path)
    return {onnx.load(path).graph.input[0].name: x}


def one_weight(path: Path) -> dict[str, Any]:
    """A model of one weight."""
    text = """<ir_version: 8, opset_import: ["" : 17]> m (float[N, 1] x) => (float[N, 1] y) <float[1, 1] w = {2}> { y = MatMul (x, w) }"""
    onnx.save(parser.parse_model(text), path)
    return {"x": rows(1)}


def no_weight(path: Path) -> dict[str, Any]:
    """A model of one operator and no weight."""
    onnx.save(parser.parse_model('<ir_version: 8, opset_import: ["" : 17]> m (float[N, 4] x) => (float[N, 4] y) { y = Relu (x) }'), path)  # fmt: skip
    return {"x": rows(4)}


def residual(path: Path) -> dict[str, Any]:
    """Two residual blocks, the second of them normalised."""
    text = """<ir_version: 8, opset_import: ["" : 17]>
    m (float[N, 40] x) => (float[N, 40] y) {
        a = MatMul (x, w1)  b = Relu (a)  c = MatMul (b, w2)  h = Add (x, c)
        n = LayerNormalization (h, s)  d = MatMul (n, w3)  e = Relu (d)  f = MatMul (e, w4)  y = Add (f, h)
    }"""
    onnx.save(filled(text, {"w1": (40, 64), "w2": (64, 40), "s": (40,), "w3": (40, 64), "w4": (64, 40)}), path)
    return {"x": rows(40)}


def doubles(path: Path) -> dict[str, Any]:
    """Weights and values of float64."""
    text = (LINEAR % 17).replace("float[", "double[")
    onnx.save(filled(text, SHAPES, np.float64), path)
    return {"x": rows(40, dtype=np.float64)}


def halves(path: Path) -> dict[str, Any]:
    """Weights and values of float16."""
    text = (LINEAR % 17).replace("float[", "float16[")
    onnx.save(filled(text, SHAPES, np.float16), path)
    return {"x": rows(40, dtype=np.float16)}


def bfloat16(path: Path) -> dict[str, Any]:
    """Weights of bfloat16 that are cast to floats."""
    text = """<ir_version: 8, opset_import: ["" : 17]>
    m (float[N, 40] x) => (float[N, 64] y) { f = Cast <to = 1> (w)  y = MatMul (x, f) }"""
    model = parser.parse_model(text)
    values = rng().normal(size=(40, 64)).astype(np.float32)
    bits = (values.view(np.uint32) >> 16).astype(np.uint16)
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.BFLOAT16, (40, 64), bits.tobytes(), raw=True))
    onnx.save(model, path)
    return {"x": rows(40)}


def shapeless(path: Path) -> dict[str, Any]:
    """Inputs and outputs without any shape."""
    linear(path)
    model = onnx.load(path)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.ClearField("shape")
    onnx.save(model, path)
    return {"x": rows(40)}


def fixed_batch(path: Path) -> dict[str, Any]:
    """A batch of one and no other."""
    onnx.save(filled((LINEAR % 17).replace("[N,", "[1,"), SHAPES), path)
    return {"x": rows(40)}


def depthwise(path: Path) -> dict[str, Any]:
    """Convolutions by channel and by place, with channels of unlike ranges, normalised."""
    text = """<ir_version: 8, opset_import: ["" : 17]>
    m (float[N, 8, 9, 9] x) => (float[N, 12] y) {
        a = Conv <group = 8, kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x, wd, bd)
        n = BatchNormalization (a, g, b, mean, var)
        r = Relu (n)
        c = Conv <kernel_shape = [1, 1]> (r, wp, bp)
        s = Relu (c)
        p = GlobalAveragePool (s)
        f = Flatten (p)
        y = Gemm <transB = 1> (f, wl, bl)
    }"""
    shapes = {"wd": (8, 1, 3, 3), "bd": (8,), "g": (8,), "b": (8,), "mean": (8,), "wp": (48, 8, 1, 1), "bp": (48,)}
    model = filled(text, shapes | {"wl": (12, 48), "bl": (12,)})
    model.graph.initializer.append(numpy_helper.from_array(np.geomspace(0.01, 100, 8).astype(np.float32), "var"))
    onnx.save(model, path)
    return {"x": rows(8, 9, 9)}


def recurrent(path: Path) -> dict[str, Any]:
    """An LSTM."""
    text = """<ir_version: 8, opset_import: ["" : 17]>
    m (float[T, N, 12] x) => (float[T, D, N, 16] y) { y, h, c = LSTM <hidden_size = 16> (x, w, r, b) }"""
    onnx.save(filled(text, {"w": (1, 64, 12), "r": (1, 64, 16), "b": (1, 128)}), path)
    return {"x": rows(5, 12)}


def shared(path: Path) -> dict[str, Any]:
    """One matrix that two layers read, once as a table."""
    text = """<ir_version: 8, opset_import: ["" : 17]>
    m (int64[N] ids) => (float[N, 90] y) <int64[2] back = {1, 0}> {
        e = Gather (w, ids)  t = Transpose <perm = [1, 0]> (w)  y = MatMul (e, t)
    }"""
    onnx.save(filled(text, {"w": (90, 40)}), path)
    return {"ids": rng().integers(0, 90, ROWS)}


def function(path: Path) -> dict[str, Any]:
    """A layer inside a local function, as torch exports them."""
    text = """<ir_version: 8, opset_import: ["" : 17, "own" : 1]>
    m (float[N, 40] x) => (float[N, 64] y) { y = own.layer (x, w) }
    <opset_import: ["" : 17], domain: "own"> layer (a, b) => (c) { m = MatMul (a, b)  c = Relu (m) }"""
    onnx.save(filled(text, {"w": (40, 64)}), path)
    return {"x": rows(40)}


def broken_numbers(path: Path) -> dict[str, Any]:
    """Weights that are no numbers, and infinite ones."""
    linear(path)
    model = onnx.load(path)
    array = numpy_helper.to_array(model.graph.initializer[0]).copy()
    array[0, :3] = np.nan, np.inf, -np.inf
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(array, "w1"))
    onnx.save(model, path)
    return {"x": rows(40)}


def zeros(path: Path) -> dict[str, Any]:
    """Weights that are all zero."""
    model = filled(LINEAR % 17, SHAPES)
    for tensor in model.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(np.zeros(tuple(tensor.dims), np.float32), tensor.name))
    onnx.save(model, path)
    return {"x": rows(40)}


def sparse(path: Path) -> dict[str, Any]:
    """A weight that is stored sparsely."""
    text = """<ir_version: 8, opset_import: ["" : 17]> m (float[N, 40] x) => (float[N, 64] y) { y = MatMul (x, w) }"""
    model = parser.parse_model(text)
    values = helper.make_tensor("w", TensorProto.FLOAT, [300], rng().normal(size=300).astype(np.float32))
    places = helper.make_tensor("w_places", TensorProto.INT64, [300], np.arange(0, 2400, 8))
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [40, 64]))
    onnx.save(model, path)
    return {"x": rows(40)}


STRANGERS: dict[str, Stranger] = {
    one.__name__: one
    for one in (
        *(
            linear,
            constants,
            old,
            overridable,
            branches,
            int8,
            masked,
            sliced,
            stale,
            two_inputs,
            tokens,
            trees,
            one_weight,
            no_weight,
        ),
        *(doubles, halves, bfloat16, shapeless, fixed_batch, depthwise, recurrent, shared, function, broken_numbers),
        *(zeros, sparse, residual),
    )
}
