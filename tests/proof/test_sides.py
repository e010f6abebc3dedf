"""Groups are never cut apart, the later half is held out, duplicates on both sides are counted, and groups count as the few independent samples that they are."""

import io
import json
import math
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.domain.artifact import Signature, TensorSpec
from core.domain.errors import Refused
from core.domain.metric import Answers
from core.domain.report import Verdict
from core.domain.split import By, Split
from core.domain.technique import HALVES, QUARTERS
from core.doors.commands import main
from core.metrics import METRICS
from core.proof import paired, redrawn
from core.proof.dataset import Asked, Dataset
from core.proof.datasets import read_dataset
from tests.conftest import SAMPLES

TABLE = Signature((TensorSpec("x", "float32", ("n", 2)),), (TensorSpec("y", "float32", ("n", 2)),))
CALIBRATION, TEST = HALVES


def table(folder: Path, split: Split, rows: list[str]) -> Dataset:
    """Read rows of a, b, who and label."""
    path = folder / "data.csv"
    path.write_text("\n".join(["a,b,who,label", *rows]))
    return read_dataset(path, Asked(split=split), TABLE)


def test_a_group_is_never_cut_apart_and_its_column_is_no_feature(tmp_path: Path) -> None:
    written = [f"{row},{row / 2},patient {row % 40},{row % 2}" for row in range(400)]
    whole = table(tmp_path, Split("who", By.GROUP), written)
    assert whole.inputs["x"].shape == (400, 2)
    learned, held = whole.half(CALIBRATION), whole.half(TEST)
    assert learned.n + held.n == 400
    groups = [{int(value) % 40 for value in part.inputs["x"][:, 0]} for part in (learned, held)]
    assert not groups[0] & groups[1]
    assert min(map(len, groups)) > 8
    quarters = [whole.half(one) for one in QUARTERS]
    assert sum(one.n for one in quarters) == learned.n
    assert held.cut is not None
    assert held.cut.independent == len(groups[1])
    assert f"{held.n} of 400 samples are the test half, {len(groups[1])} groups" in held.notes[-2]
    assert f"these count as {len(groups[1])}" in held.notes[-2]


@pytest.mark.parametrize("written", ["2026-01-{:02}", "{}.5", "2026-01-{:02}T12:00:00+02:00"])
def test_the_later_half_is_held_out_and_equal_times_stay_together(tmp_path: Path, written: str) -> None:
    days = np.random.default_rng(0).integers(1, 29, size=300)
    rows = [f"{place},{day},{written.format(day)},0" for place, day in enumerate(days.tolist())]
    whole = table(tmp_path, Split("who", By.TIME), rows)
    learned, held = (part.inputs["x"][:, 1] for part in (whole.half(CALIBRATION), whole.half(TEST)))
    assert learned.max() < held.min()
    assert abs(len(held) - 150) < 15
    early, late = (whole.half(one).inputs["x"][:, 1] for one in QUARTERS)
    assert early.max() < late.min()
    assert late.max() <= learned.max()


def test_samples_on_both_sides_are_counted(tmp_path: Path) -> None:
    first = [f"{row},0,{row},0" for row in range(100)]
    again = [f"{row},0,{row + 100},0" for row in range(12)]
    late = [f"{row + 500},0,{row + 200},0" for row in range(88)]
    held = table(tmp_path, Split("who", By.TIME), [*first, *again, *late]).half(TEST)
    assert held.notes[-1] == "12 of 100 held-out samples also stand among those learned from."
    assert "the later 100 of 200 samples are the test half" in held.notes[-2]


def test_what_is_no_time_or_no_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="holds 'soon', which is no time"):
        table(tmp_path, Split("who", By.TIME), ["1,2,soon,0"])
    with pytest.raises(Refused, match="no column 'where' to split by"):
        table(tmp_path, Split("where", By.GROUP), ["1,2,a,0"])
    with pytest.raises(Refused, match="the same time"):
        table(tmp_path, Split("who", By.TIME), ["1,2,7,0", "3,4,7,1"]).half(TEST)


def test_pictures_are_split_by_a_column_of_their_table(tmp_path: Path) -> None:
    lines, path = ["file,label,who"], tmp_path / "pictures.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for row in range(60):
            out = io.BytesIO()
            Image.fromarray(np.full((4, 4, 3), row, np.uint8)).save(out, "PNG")
            archive.writestr(f"{row}.png", out.getvalue())
            lines.append(f"{row}.png,{row % 2},{row % 12}")
        archive.writestr("labels.csv", "\n".join(lines))
    takes = Signature((TensorSpec("x", "float32", ("n", 3, 4, 4)),), (TensorSpec("y", "float32", ("n", 2)),))
    whole = read_dataset(path, Asked(split=Split("who", By.GROUP)), takes)
    sides = [{int(name[:-4]) % 12 for name in whole.half(one).members} for one in HALVES]
    assert not sides[0] & sides[1]
    assert sides[0] | sides[1] == set(range(12))


def test_samples_of_groups_prove_no_more_than_as_many_groups() -> None:
    alone = paired.counts(0, 0, 1000)
    assert paired.verdict(alone, 0.01) is Verdict.PASS
    grouped = paired.dependent(alone, 100)
    assert grouped.high == paired.counts(0, 0, 100).high
    assert paired.verdict(grouped, 0.01) is Verdict.NOT_PROVEN
    lost = paired.dependent(paired.counts(15, 5, 1000), 100)
    assert (lost.share, lost.lost, lost.won) == (0.01, 2, 0)
    assert paired.dependent(alone, None) is paired.dependent(alone, 1000) is alone
    before = np.random.default_rng(0).normal(size=400) ** 2
    wide = paired.growth(before, before * 1.02)
    assert paired.dependent(wide, 99).high == math.inf
    spread = paired.dependent(wide, 100)
    assert spread.high - spread.share == pytest.approx(2 * (wide.high - wide.share))
    assert redrawn.FEWEST == paired.FEWEST


def test_errors_of_groups_are_bounded_as_those_of_one_sample_a_group() -> None:
    """Ten equal samples a group, as of one patient: they know what one of them knows, however many they are."""
    rng = np.random.default_rng(0)
    before = rng.normal(size=200) ** 2
    for moved in (0, 3, 29, 80):
        after = before.copy()
        after[:moved] += rng.exponential(size=moved)
        alone = paired.growth(before, after, 16.0)
        tenfold = paired.of(np.repeat(before, 10), np.repeat(after, 10), 16.0, 200)
        assert tenfold is not None
        assert tenfold.samples == 200
        assert tenfold.high == pytest.approx(alone.high, rel=0.05)


def test_a_metric_of_groups_is_bounded_as_that_of_one_sample_a_group() -> None:
    labels = np.repeat([0, 1], 150)
    found = labels.copy()
    found[:5] = 1
    one, other = Answers(labels, labels), Answers(labels, found)
    alone = redrawn.loss(METRICS["balanced_accuracy"], one, other)
    repeated = [Answers(np.repeat(side.labels, 10), np.repeat(side.found, 10)) for side in (one, other)]
    tenfold = redrawn.loss(METRICS["balanced_accuracy"], repeated[0], repeated[1], 300)
    assert alone is not None
    assert tenfold is not None
    assert tenfold.high == pytest.approx(alone.high, rel=0.1)
    rare = np.repeat([0, 1], (2910, 90))
    unsure = redrawn.loss(METRICS["balanced_accuracy"], Answers(rare, rare), Answers(rare, rare), 300)
    assert unsure is not None
    assert unsure.high == np.inf, "90 samples of a class are those of nine groups"


def test_a_command_names_the_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = np.load(SAMPLES / "fashion_cnn" / "test.npz")
    np.savez(tmp_path / "data.npz", x=found["x"][:50], y=found["y"][:50], who=np.arange(50) // 10)
    words = ["evaluate", str(SAMPLES / "fashion_cnn" / "model.onnx"), "--data", str(tmp_path / "data.npz"), "--json"]
    assert main([*words, "--group", "who"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["data"]["split"] == {"column": "who", "by": "group"}
    assert any("50 samples in 5 groups" in one and "these count as 5." in one for one in told["read"])
    assert main([*words, "--group", "who", "--time", "when"]) == 1
    assert "not by both" in json.loads(capsys.readouterr().out)["error"]["message"]
