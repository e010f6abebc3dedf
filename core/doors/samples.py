"""The models that ship with Portolan: trained on real data by ``sample_models/build.py``, each with a card."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "sample_models"


@dataclass(frozen=True)
class Sample:
    """One sample: its folder and its card."""

    folder: Path
    card: dict[str, Any]

    @property
    def id(self) -> str:
        """The name of the sample's folder."""
        return self.folder.name

    @property
    def model(self) -> Path:
        """The file that a visitor opens first."""
        return self.folder / str(self.card["main"])

    @property
    def data(self) -> Path:
        """The held-out test set."""
        return self.folder / str(self.card["data"]["file"])

    @property
    def label(self) -> str | None:
        """The label column of the test set; None where the file's own names say it."""
        label = self.card["data"]["label"]
        return None if label is None else str(label)


def samples() -> list[Sample]:
    """Return the shipped samples, in the order of their cards' titles."""
    cards = sorted(FOLDER.glob("*/card.json"))
    found = [Sample(path.parent, json.loads(path.read_text())) for path in cards]
    return sorted(found, key=lambda sample: (sample.card.get("order", 99), sample.card["title"]))


def sample(id: str) -> Sample | None:
    """Return a sample by its id, or None."""
    return next((one for one in samples() if one.id == id), None)
