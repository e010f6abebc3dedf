"""State is found where outputs come back as inputs, and its bytes are those of the arrays that a session really keeps."""

import numpy as np
import onnxruntime
import pytest
from onnx import parser

from core.domain.artifact import Dim, Signature, TensorSpec
from core.domain.session_state import SessionState, key_value_cache, state_of


def signature(*pairs: tuple[str, str, tuple[Dim, ...]], dtype: str = "float32") -> Signature:
    inputs = tuple(TensorSpec(one, dtype, shape) for one, _, shape in pairs)
    return Signature(
        (TensorSpec("x", dtype, ("batch", 8)), *inputs),
        (TensorSpec("y", dtype, ("batch", 8)), *(TensorSpec(two, dtype, shape) for _, two, shape in pairs)),
    )


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("state", "stateN"),
        ("h0", "hn"),
        ("c0", "cn"),
        ("h", "h_out"),
        ("hidden_in", "hidden_out"),
        ("past_key_values.0.key", "present.0.key"),
        ("past_key_values.11.value", "present.11.value"),
        ("past_3", "present_3"),
        ("past_0", "present_0"),
        ("cache_k_in", "cache_k_out"),
        ("prev_state", "next_state"),
    ],
)
def test_names_that_people_give_their_states(one: str, two: str) -> None:
    (kept,) = state_of(signature((one, two, (2, "batch", 64)))).kept
    assert (kept.input, kept.output, kept.bytes, kept.grows) == (one, two, 2 * 64 * 4, False)


@pytest.mark.parametrize(
    ("one", "two"), [("image_in", "image_out"), ("input", "output"), ("noisy", "clean"), ("state", "logits")]
)
def test_a_picture_and_its_picture_are_no_state(one: str, two: str) -> None:
    assert state_of(signature((one, two, ("batch", 3, 32, 32)))) == SessionState()


def test_layers_are_told_apart_and_each_output_is_taken_once() -> None:
    found = state_of(signature(*((f"past_{n}", f"present_{n}", (1, 4)) for n in range(3))))
    assert [(one.input, one.output) for one in found.kept] == [(f"past_{n}", f"present_{n}") for n in range(3)]


def test_another_type_or_shape_is_no_state() -> None:
    a, b = TensorSpec("state", "float32", (2, 3)), TensorSpec("stateN", "float32", (2, 4))
    c, d = TensorSpec("state", "float32", (2, 3)), TensorSpec("stateN", "int64", (2, 3))
    assert not state_of(Signature((a,), (b,))).kept
    assert not state_of(Signature((c,), (d,))).kept


def test_keys_and_values_grow_as_the_formula_says() -> None:
    layers, heads, width = 12, 12, 64
    pairs = [
        (f"past_key_values.{n}.{kind}", f"present.{n}.{kind}", ("batch", heads, "past_sequence_length", width))
        for n in range(layers)
        for kind in ("key", "value")
    ]
    found = state_of(signature(*pairs))
    assert len(found.kept) == 24
    assert found.at(1024) == key_value_cache(layers, heads, width, 1024, size=4) == 72 << 20
    assert found.sessions(1 << 30, 0, 1024) == 14
    assert found.sessions(1 << 30, 1 << 30, 1024) == 0
    assert SessionState().sessions(1 << 30, 0, 1024) is None


def test_the_bytes_are_those_of_a_real_session() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    s (float[N, 16] x, float[2, N, 16] state) => (float[2, N, 16] stateN, float[N, 16] y) {
        stateN = Add (state, x)
        y = ReduceMean <axes = [0], keepdims = 0> (stateN)
    }"""
    session = onnxruntime.InferenceSession(
        parser.parse_model(text).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    specs = [
        tuple(TensorSpec(one.name, "float32", tuple(one.shape)) for one in side)
        for side in (session.get_inputs(), session.get_outputs())
    ]
    found = state_of(Signature(*specs))
    state = np.zeros((2, 1, 16), np.float32)
    for _ in range(3):
        state = session.run(["stateN"], {"x": np.ones((1, 16), np.float32), "state": state})[0]
    assert state.max() == 3
    assert found.at(3) == state.nbytes == 128


def test_states_that_an_engine_keeps_itself_are_counted() -> None:
    assert state_of(Signature(), {"ReadValue": 2, "Assign": 2}).inside == 2
