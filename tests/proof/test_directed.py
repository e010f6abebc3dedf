"""Pairs of ONNX files that differ where nobody looks by accident: a proof without data must find each, and must pass the pair of equals."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest

from core.domain.report import Parity, Verdict
from core.domain.transform import Tolerance
from core.onnx.landmarks import landmarks
from core.proof import golden, parity, probes
from core.runtimes import runtime_for

TOLERANCE = Tolerance(1e-4, 1e-4)
HEAD = '<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 3]> agraph '
Edit = Callable[[str], str]


def model(text: str, tables: dict[str, np.ndarray]) -> onnx.ModelProto:
    """Return a model from its text, with tables of numbers as initializers."""
    made = onnx.parser.parse_model(HEAD + text)
    made.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in tables.items())
    onnx.checker.check_model(made)
    return made


def proof(source: onnx.ModelProto, target: onnx.ModelProto, folder: Path) -> Parity:
    """Record one file without data, and compare the other with it."""
    paths = folder / "a.onnx", folder / "b.onnx"
    for path, one in zip(paths, (source, target), strict=True):
        onnx.save(one, path)
    runtime = runtime_for("onnx")
    found = runtime.landmarks(paths[0], "onnx")
    probes.record(runtime.open(paths[0], "onnx"), 7, None, folder / "g.npz", "", found)
    return parity.compare(runtime.open(paths[1], "onnx"), folder / "g.npz", TOLERANCE, 7)


RNG = np.random.default_rng(3)
EMBEDDING = RNG.standard_normal((500, 4)).astype(np.float32)
LOST = np.where(np.arange(500)[:, None] == 321, 0, EMBEDDING).astype(np.float32)
LINEAR = RNG.standard_normal((4, 3)).astype(np.float32)
F4 = "(float[N,4] x) => (float[N,4] y) "
F4_LABEL = "(float[N,4] x) => (float[N,3] y) "
STEPS = "(float[N,T,2] x) => (float[N,2] y) "
I1 = "(int64[N,1] x) => (float[N,1] y) "

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
    "the slope of a bent line on its far side": (
        F4 + "{ a = Constant<value_float = 30.0>() s = Sub(x, a) y = LeakyRelu<alpha = 0.1>(s) }",
        {},
        lambda text: text.replace("alpha = 0.1", "alpha = 1.0").replace("LeakyRelu<alpha = 1.0>(s)", "Identity(s)"),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_difference_at_a_constant_of_the_graph_is_found_without_data(name: str, tmp_path: Path) -> None:
    text, tables, edit = PAIRS[name]
    wrong = model(text, edit) if isinstance(edit, dict) else model(edit(text), tables)
    assert proof(model(text, tables), wrong, tmp_path).verdict is not Verdict.PASS


@pytest.mark.parametrize("name", PAIRS)
def test_the_same_graph_passes(name: str, tmp_path: Path) -> None:
    text, tables, _ = PAIRS[name]
    found = proof(model(text, tables), model(text, tables), tmp_path)
    assert found.verdict is Verdict.PASS, found.reason


def test_a_source_that_answers_otherwise_each_time_is_not_proven(tmp_path: Path) -> None:
    noisy = model(F4 + "{ n = RandomNormalLike(x) y = Add(x, n) }", {})
    found = proof(noisy, noisy, tmp_path)
    assert found.verdict is Verdict.NOT_PROVEN
    assert "does not give the same answer twice" in found.reason


def test_whole_numbers_beyond_32_bits_bound_a_verdict_and_do_not_fail_it(tmp_path: Path) -> None:
    text = "(int64[N,1] x) => (int64[N,1] y) { c = Constant<value_ints = [97]>() y = Mod(x, c) }"
    narrow = text.replace("y = Mod(x, c)", "s = Cast<to = 6>(x) d = Cast<to = 7>(s) y = Mod(d, c)")
    found = proof(model(text, {}), model(narrow, {}), tmp_path)
    assert found.verdict is Verdict.NOT_PROVEN
    assert "only within bounds: on 'beyond 32 bits'" in found.reason


def test_the_ends_of_32_bits_bound_a_verdict_too(tmp_path: Path) -> None:
    text = "(int32[N,1] x) => (int64[N,1] y) { w = Cast<to = 7>(x) c = Constant<value_ints = [1]>() y = Add(w, c) }"
    narrow = text.replace("w = Cast<to = 7>(x) c = Constant<value_ints = [1]>() y = Add(w, c)",
                          "c = Constant<value = int32 {1}>() w = Add(x, c) y = Cast<to = 7>(w)")  # fmt: skip
    found = proof(model(text, {}), model(narrow, {}), tmp_path)
    assert found.verdict is Verdict.NOT_PROVEN
    assert "only within bounds: on 'the ends of 32 bits'" in found.reason


MASK = (
    "(int64[N,4] mask, float[N,4] x) => (float[N,4] y) { f = Cast<to = 1>(mask) c = Constant<value_float = 1.0>() "
    "o = Sub(c, f) b = Constant<value_float = -10000.0>() m = Mul(o, b) y = Add(x, m) }"
)


def test_a_mask_is_no_number_to_reckon_with() -> None:
    assert landmarks(model(MASK, {})).wide == set()


def test_sizes_are_asked_first_and_the_smallest_before_all(tmp_path: Path) -> None:
    one = model(STEPS + "{ y = ReduceMean<axes = [1], keepdims = 0>(x) }", {})
    found = proof(one, one, tmp_path)
    assert found.checks[0].name == "sizes"
    first = golden.read(tmp_path / "g.npz")
    assert first.case_inputs(0)["x"].shape == (3, 1, 2)


def test_it_is_told_where_missing_numbers_could_not_be_compared(tmp_path: Path) -> None:
    one = model(F4 + "{ y = Tanh(x) }", {})
    assert "samples 'missing numbers'" in proof(one, one, tmp_path).reason
    total = model("(float[N,4] x) => (float[N,1] y) { y = ReduceMean<axes = [1]>(x) }", {})
    assert "Not compared, 4 samples 'missing numbers': The source's own answer" in proof(total, total, tmp_path).reason


def test_what_a_verdict_tried_is_told(tmp_path: Path) -> None:
    text, tables, _ = PAIRS["a lost row of an embedding"]
    assert "500 of 500 ids of 'x'" in proof(model(text, tables), model(text, tables), tmp_path).reason


@pytest.mark.parametrize(
    ("body", "numbers"),
    [
        ("t = Constant<value_float = 40.0>() c = Less(x, t) y = Cast<to = 1>(c)", {40.0}),
        ("a = Constant<value_float = 3.0>() m = Mul(x, a) t = Constant<value_float = 12.0>() y = Min(m, t)", {4.0}),
        ("a = Constant<value_float = 3.0>() m = Sub(a, x) y = Relu(m)", {3.0}),
        ("e = Exp(x) t = Constant<value_float = 1.0>() y = Max(e, t)", {0.0}),
        ("r = Reshape(x, s) t = Constant<value_float = 7.0>() y = Min(r, t)", {7.0}),
    ],
)
def test_a_constant_is_taken_back_to_the_input(body: str, numbers: set[float]) -> None:
    found = landmarks(model(F4 + "{ " + body + " }", {"s": np.array([-1, 4])} if "Reshape" in body else {}))
    assert numbers <= {round(n, 9) for side in (found.exact, found.near) for n in side.get("x", ())}


def test_an_input_that_says_how_large_a_result_is_gets_no_large_numbers() -> None:
    found = landmarks(
        model(
            "(int64[1] n) => (float[M] y) { c = Constant<value_ints = [2]>() m = Mul(n, c) y = ConstantOfShape(m) }", {}
        )
    )
    assert found.wide == {"n"} == found.sizing
