"""A feature that moves is named, and what is drawn from the test data is left alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from core.domain import drift
from core.proof.drifting import features


def reference(names: list[str], rows: np.ndarray) -> drift.Reference:
    """Rows as test data."""
    return drift.Reference(tuple(names), tuple(map(tuple, rows.tolist())))


def samples(sample_models: Path, id: str) -> tuple[list[str], np.ndarray]:
    """The features of a shipped test set, [rows, features]."""
    folder = sample_models / id
    if (folder / "test.npz").exists():
        found = features({"x": np.load(folder / "test.npz")["x"]})
    else:
        table = pd.read_csv(folder / "test.csv").select_dtypes("number")
        found = features({name: table[name].to_numpy() for name in table})
    return list(found), np.stack(list(found.values()), axis=1)


@pytest.mark.parametrize("id", ["fashion_cnn", "spam_transformer", "penguins"])
def test_one_standard_deviation_in_one_feature_is_flagged_and_held_out_samples_are_not(
    id: str, sample_models: Path
) -> None:
    names, rows = samples(sample_models, id)
    dice, alarms, found = np.random.default_rng(0), 0, 0
    for _ in range(20):
        order = dice.permutation(len(rows))
        half = len(rows) // 2
        known = reference(names, rows[order[:half]][: drift.MOST_ROWS])
        held = rows[order[half:]][: drift.WINDOW]
        alarms += bool(drift.moved(known, held.tolist(), 1))
        place = int(dice.integers(len(names)))
        shifted = held.copy()
        shifted[:, place] += np.nanstd(rows[:, place])
        found += names[place] in [one.name for one in drift.moved(known, shifted.tolist(), 1)]
    assert alarms <= 1
    assert found == 20


def test_the_chance_is_that_of_scipy() -> None:
    dice = np.random.default_rng(1)
    for shift in (0.0, 0.2, 0.5):
        one, other = np.sort(dice.normal(size=200)), np.sort(dice.normal(shift, size=300))
        theirs = stats.ks_2samp(one, other, method="exact")
        apart = drift.distance(one.tolist(), other.tolist())
        assert apart == pytest.approx(theirs.statistic, abs=1e-12)
        assert drift.chance(apart, 200, 300) == pytest.approx(theirs.pvalue, rel=0.15)


def test_later_windows_must_show_more() -> None:
    dice = np.random.default_rng(2)
    known = reference(["x"], dice.normal(size=(500, 1)))
    slight = (dice.normal(size=(200, 1)) + 0.3).tolist()
    assert drift.moved(known, slight, 1)
    assert not drift.moved(known, slight, 10**6)
