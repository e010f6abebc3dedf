"""The small network as files, and a search of one ladder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.domain.recipe import Step
from core.domain.tuning import HeatMap
from core.verbs.tuning import ladders
from core.verbs.tuning.ladders import Ladder
from tests.tuning.small import network, samples, short_races


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """The network and its samples."""
    model, matrices = network(tmp_path)
    return model, samples(tmp_path, matrices)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of the real ladders and short races, so that a search soon ends by itself."""
    every = ladders._every

    def chosen(heat: HeatMap | None, training: Step) -> Iterator[Ladder]:
        return (ladder for ladder in every(heat, training) if ladder.id == "gptq")

    monkeypatch.setattr(ladders, "_every", chosen)
    short_races(monkeypatch)
