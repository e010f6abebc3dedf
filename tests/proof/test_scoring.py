"""Scores say what changed, what it cost, and when answers are none."""

import numpy as np
import pytest

from core.domain.codec import decode, encode
from core.domain.errors import Refused
from core.domain.tuning import Score
from core.proof import scoring


def outputs(classes: list[int]) -> list[np.ndarray]:
    """Return scores [n, 3] whose largest names the classes."""
    return [np.eye(3, dtype=np.float32)[classes]]


def test_lost_and_won_answers_are_counted_apart() -> None:
    labels = np.array([0, 1, 2, 0, 1, 2])
    found = scoring.score(outputs([0, 1, 2, 1, 1, 0]), outputs([1, 0, 2, 0, 1, 1]), labels)
    assert found.changed
    assert (found.changed.k, found.changed.n) == (4, 6)
    assert found.loss.share == pytest.approx(1 / 6)
    assert found.quality
    assert found.quality.correct
    assert found.quality.correct.k == 3
    assert decode(Score, encode(found)) == found


def test_without_labels_changes_count_and_numbers_need_labels() -> None:
    found = scoring.score(outputs([0, 1, 2]), outputs([0, 2, 2]), None)
    assert found.loss.share == found.loss.expected == pytest.approx(1 / 3)
    numbers = [np.arange(4, dtype=np.float32)]
    with pytest.raises(Refused, match="no labels to judge by"):
        scoring.score(numbers, numbers, None)


def test_the_growth_of_an_error_has_a_standard_error() -> None:
    rng = np.random.default_rng(1)
    labels = rng.normal(size=4000)
    before = labels + rng.normal(scale=0.1, size=4000)
    after = before + rng.normal(scale=0.02, size=4000)
    found = scoring.score([before.astype(np.float32)], [after.astype(np.float32)], labels)
    assert found.loss.share == pytest.approx(np.sqrt(1.04) - 1, abs=4 * found.loss.error)
    assert 0 < found.loss.error < 0.01


def test_answers_that_are_no_numbers_or_of_another_shape_lose_all() -> None:
    before = outputs([0, 1, 2])
    broken = [np.full_like(before[0], np.nan)]
    for after in (broken, [before[0][:, :2]]):
        found = scoring.score(before, after, None)
        assert found.fault
        assert not found.loss.within(0.9)
