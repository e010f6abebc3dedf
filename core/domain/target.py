"""A place to run a model: the format that it takes, the versions that it reads, and how it says whether it bears a graph."""

from pathlib import Path
from typing import Any, ClassVar

from core.domain.assessment import NOT_TRIED, Fit
from core.domain.recipe import Option
from core.domain.shelf import Entry


class Target(Entry):
    """What a book on the shelf of targets says; ``fit`` runs in the sandboxed worker."""

    format: ClassVar[str]
    """What is exported for it."""

    opset: ClassVar[int | None] = None
    """The newest ONNX operator set that is written for it; None where that is no question."""

    packaged: ClassVar[bool] = False
    """A Python package with a server is written for it; for others the bundle of the export is what is taken away."""

    tries: ClassVar[bool] = False
    """``fit`` says something of an ONNX graph."""

    falls_back: ClassVar[bool] = False
    """What it does not take runs on the device's processor, so that nothing is in the way."""

    elsewhere: ClassVar[str] = ""
    """Why the target itself is not what ran here, in a sentence, so that nothing here can prove it; empty where it is."""

    def fit(self, path: Path) -> Fit:
        """Say how the target bears an ONNX file, by trying as far as this machine can."""
        return NOT_TRIED

    def options(self, source: str, opset: int | None) -> dict[str, Option]:
        """Return the options of an export for a model of this format and opset; an ONNX file keeps an opset in reach."""
        if self.opset is None or source != "onnx":
            return {}
        return {"opset": 0 if opset is None or opset <= self.opset else self.opset}

    def to_json(self) -> dict[str, Any]:
        """Return the table row with what is exported and how much is known."""
        return {**super().to_json(), "format": self.format, "packaged": self.packaged, "tries": self.tries}
