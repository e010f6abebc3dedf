"""An assessment reads before it runs, and loads nothing that its owner did not agree to."""

import json
import pickle
from pathlib import Path

import pytest

from core.doors.commands import main

SAMPLES = Path(__file__).parent.parent / "sample_models"


def test_a_pickle_is_read_from_its_opcodes_and_not_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["assess", str(SAMPLES / "penguins" / "model.joblib"), "--json"]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["card"]["classes"]["OneHotEncoder"] == 2
    assert any("scikit-learn" in one for one in found["card"]["packages"])
    assert "only with your consent" in found["concerns"][0]["what"]
    assert "not tried" in found["tried"]
    assert {one["fit"]["known"] for one in found["prospects"]} == {"not known"}


class Hostile:
    """Leaves a file behind where it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.mark,)


def test_a_hostile_pickle_is_refused_in_words_and_never_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(Hostile(tmp_path / "loaded")))
    assert main(["assess", str(tmp_path / "m.pkl"), "--consent", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["next_step"]
    assert not (tmp_path / "loaded").exists()
