"""A cause is named where the answers tell it, and nothing is named where they do not."""

from collections.abc import Mapping

import numpy as np
import pytest

from core.proof import causes

RNG = np.random.default_rng(6)
OLD = [RNG.normal(0, 3, (n, 5)).astype(np.float32) for n in (1, 3, 16)]
BIAS = np.arange(5, dtype=np.float32)


def each(change):  # type: ignore[no-untyped-def]
    """Change the answers of each call."""
    return [change(one) for one in OLD]


def chances(logits: np.ndarray) -> np.ndarray:
    """Return the softmax."""
    wide = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(wide / wide.sum(axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (each(lambda one: one * 1.01), "times 1.01"),
        (each(lambda one: (one - BIAS) * 0.95 + BIAS), "times 0.95"),
        (each(lambda one: one[:, [0, 3, 2, 1, 4]]), "classes 1 and 3 are swapped"),
        (each(lambda one: one[:, [1, 2, 0, 3, 4]]), "another order: 0 is 1, 1 is 2, 2 is 0"),
        (each(lambda one: one + np.eye(5, dtype=np.float32)[2]), "shift of class 2"),
        (each(lambda one: one + RNG.normal(0, 0.1, one.shape).astype(np.float32)), ""),
        (each(lambda one: one**3), ""),
        (each(lambda one: one), ""),
        (each(lambda one: one[:, :4]), ""),
        (each(lambda one: np.full_like(one, np.nan)), ""),
    ],
)
def test_what_was_done_to_answers_is_named(after: list[np.ndarray], words: str) -> None:
    found = causes.of(OLD, after)
    assert words in found
    assert bool(found) == bool(words)


def test_a_scaled_head_shows_in_probabilities_too() -> None:
    assert "times 1.02" in causes.of(each(chances), each(lambda one: chances(one * 1.02)))
    assert "swapped" in causes.of(each(chances), each(lambda one: chances(one[:, [1, 0, 2, 3, 4]])))


def test_float32_is_named_for_float64_only() -> None:
    wide = [one.astype(np.float64) / 7 for one in OLD]
    narrow = [one.astype(np.float32).astype(np.float64) for one in wide]
    assert "computes in float32" in causes.of(wide, narrow)
    assert not causes.of(OLD, [np.nextafter(one, np.float32(9)) for one in OLD])


def test_a_fixed_batch_is_named() -> None:
    def only(batch: int):  # type: ignore[no-untyped-def]
        def ask(call: Mapping[str, np.ndarray]) -> None:
            if len(call["x"]) != batch:
                raise ValueError("Got invalid dimensions")

        return ask

    calls = [{"x": one} for one in OLD]
    assert "takes 1 sample a call" in causes.of_batches(only(1), calls)
    assert "takes 4 samples a call" in causes.of_batches(only(4), calls)
    assert not causes.of_batches(lambda call: None, calls)
    assert not causes.of_batches(only(77), calls)
