"""The folder that a search on the command line fills as it goes, so that stopping it at any moment leaves the best so far."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from core.domain.codec import encode
from core.domain.compression import Compression
from core.memory.blobs import Blobs
from core.sandbox.tools import Memory

MODEL, BUNDLE, RECIPE, REPORT = "best.onnx", "best.zip", "recipe.json", "report.json"


@dataclass
class Folder(Memory):
    """Writes each new best with its bundle and recipe, and all that is known so far, whole or not at all."""

    path: Path
    blobs: Blobs

    def __post_init__(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self.clear()

    def answer(self, verb: str, request: object, result: object) -> None:
        """Put a compression in the place of the best before it, unless it failed."""
        if not isinstance(result, Compression) or result.bundle is None:
            return
        self._copy(result.artifact.sha256, MODEL)
        self._copy(result.bundle.sha256, BUNDLE)
        self._text(RECIPE, json.dumps(encode(result.recipe), indent=2) + "\n")

    def keep(self, result: object) -> None:
        """Write the report so far."""
        self._text(REPORT, json.dumps(encode(result), indent=1) + "\n")

    def clear(self) -> None:
        """Remove what is no proven best: that of an earlier search, or one that failed on the test half."""
        for name in (MODEL, BUNDLE, RECIPE):
            (self.path / name).unlink(missing_ok=True)

    def _copy(self, sha256: str, name: str) -> None:
        part = self.path / (name + ".part")
        shutil.copyfile(self.blobs.path(sha256), part)
        part.replace(self.path / name)

    def _text(self, name: str, text: str) -> None:
        part = self.path / (name + ".part")
        part.write_text(text)
        part.replace(self.path / name)
