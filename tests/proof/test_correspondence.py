"""Weights are found in another file however they are turned, and one that is there but for a few numbers is told."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from core.domain.format import Tensor
from core.proof.correspondence import correspondence

RNG = np.random.default_rng(7)
MATRIX = RNG.standard_normal((24, 40)).astype(np.float32)
KERNEL = RNG.standard_normal((8, 4, 3, 3)).astype(np.float32)
GATES = RNG.standard_normal((2, 32, 16)).astype(np.float32)


def file(*arrays: np.ndarray) -> Callable[[], Iterator[Tensor]]:
    """Return what a file with these tensors lists, each read when it is its turn."""
    return lambda: (Tensor(f"t{n}", str(a.dtype), a.shape, lambda a=a: a) for n, a in enumerate(arrays))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("how", "source", "result"),
    [
        ("unchanged", MATRIX, MATRIX.reshape(24, 5, 8)),
        ("unchanged", np.where(MATRIX > 1, 0, MATRIX).astype(np.float64), np.where(MATRIX > 1, -0.0, MATRIX)),
        ("transposed", MATRIX, np.ascontiguousarray(MATRIX.T)),
        ("transposed", KERNEL, KERNEL.transpose(2, 3, 1, 0)),
        ("transposed", KERNEL[:, :1], KERNEL[:, :1].transpose(2, 3, 0, 1)),
        ("rounded", MATRIX, MATRIX.astype(np.float16)),
        ("rounded", MATRIX.astype(np.float64) / 3, (MATRIX.astype(np.float64) / 3).astype(np.float32).T),
        ("in parts", GATES, GATES.reshape(8, 8, 16)[[0, 2, 1, 3, 4, 6, 5, 7]].reshape(2, 32, 16)),
        ("scaled by channel", KERNEL, KERNEL * RNG.uniform(0.5, 2, (8, 1, 1, 1)).astype(np.float32)),
        ("rounded", MATRIX, MATRIX * np.float32(1 + 2e-7)),
    ],
)
def test_how_a_weight_is_found(how: str, source: np.ndarray, result: np.ndarray) -> None:
    other = RNG.standard_normal((9, 9)).astype(np.float32)
    found = correspondence(file(source, other), file(other, result))
    assert (found.tensors, found.found, found.missing, found.changed) == (
        2,
        {how: 1, "unchanged": 1} if how != "unchanged" else {how: 2},
        (),
        (),
    )
    assert found.sentence.startswith("All 2 weight tensors of the source are in the result (")


def spoilt(array: np.ndarray, places: int) -> np.ndarray:
    """Return a copy in which some numbers are a little larger."""
    copy = array.copy()
    copy.reshape(-1)[5 : 5 + places] += np.float32(0.01)
    return copy


@pytest.mark.parametrize(
    "turn", [lambda a: a, lambda a: a.T, lambda a: a.astype(np.float16)], ids=["", "turned", "half"]
)
def test_a_weight_with_a_few_other_numbers_is_told(turn: Callable[[np.ndarray], np.ndarray]) -> None:
    found = correspondence(file(MATRIX), file(turn(spoilt(MATRIX, 3))))
    assert found.found == {}
    (words,) = found.changed
    assert words.startswith("'t0' (24 x 40): 3 of 960 numbers differ")


@pytest.mark.parametrize(
    ("source", "result"),
    [
        (MATRIX, RNG.standard_normal((24, 40)).astype(np.float32)),
        (MATRIX, MATRIX[:, :20]),
        (MATRIX, spoilt(MATRIX, 400)),
        (np.where(np.tri(30), 0, -np.inf).astype(np.float32), np.where(np.tri(30), 0, -3.4e38).astype(np.float32)),
        (np.arange(100), np.where(np.arange(100) == 3, 103, np.arange(100))),
    ],
    ids=["another", "a part", "far away", "a mask", "places"],
)
def test_what_is_not_found_is_no_fault(source: np.ndarray, result: np.ndarray) -> None:
    found = correspondence(file(source), file(result))
    assert (found.tensors, found.found, found.missing, found.changed) == (1, {}, ("t0",), ())
    assert "0 of 1 weight tensors" in found.sentence
    assert "only the samples speak" in found.sentence


def test_constants_say_nothing() -> None:
    found = correspondence(file(np.zeros(64, np.float32), np.arange(4), np.array(["a"] * 20)), file(MATRIX))
    assert (found.tensors, found.sentence) == (0, "")


def test_a_tensor_without_numbers_here_is_not_counted_as_found() -> None:
    packed = Tensor("w", "int4", (8, 8), lambda: None)
    found = correspondence(lambda: iter([packed]), file(MATRIX))
    assert (found.tensors, found.found) == (1, {})


def test_tensors_of_one_name_are_told_apart() -> None:
    """Constants in nodes often have no name: of three that are called alike, two are scaled and one is another."""
    other = RNG.standard_normal((24, 40)).astype(np.float32)
    source = [KERNEL, MATRIX, other]
    result = [
        KERNEL * RNG.uniform(0.5, 2, (8, 1, 1, 1)).astype(np.float32),
        MATRIX * RNG.uniform(0.5, 2, (24, 1)).astype(np.float32),
    ]
    same_name = lambda: (Tensor("", "float32", a.shape, lambda a=a: a) for a in source)  # type: ignore[misc]  # noqa: E731
    found = correspondence(same_name, file(*result))
    assert (found.tensors, found.found) == (3, {"scaled by channel": 2})
    assert "2 of 3 weight tensors" in found.sentence

    same_name = lambda: (Tensor("w", "float32", a.shape, lambda a=a: a) for a in (MATRIX, other))  # type: ignore[misc]  # noqa: E731
    found = correspondence(same_name, file(MATRIX, other * 3 + 1))
    assert (found.tensors, found.found, found.missing) == (2, {"unchanged": 1}, ("w",))


def test_channels_that_were_lost_are_not_scaled_ones() -> None:
    lost = KERNEL.copy()
    lost[:3] = 0
    found = correspondence(file(KERNEL), file(lost))
    assert (found.tensors, found.found) == (1, {})


def test_parts_of_one_number_each_prove_nothing() -> None:
    steps = np.repeat(np.arange(16, dtype=np.float32), 32)
    found = correspondence(file(steps), file(MATRIX))
    assert (found.tensors, found.found) == (1, {})
