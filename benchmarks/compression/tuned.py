"""What Tune finds with the test file that a sample brings and some minutes, as a visitor would run it.

Its verdict is on the test half of that file. The pictures have 9,000 test images more, which the search never had; the
winner is asked these too. Given all 10,000 of them, the verdict is on the half of these that the search never sees.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compression.data import SETS
from benchmarks.compression.measured import measured, right
from benchmarks.compression.works import SAMPLES
from core.doors.commands import main as command
from core.shrink.pack import packed

OWN, ALL = "its own", "all 10,000 test images"
SEARCHES = (
    ("fashion_cnn", "size", 0.005, OWN),
    ("fashion_cnn", "latency", 0.005, OWN),
    ("spam_transformer", "size", 0.005, OWN),
    ("segment", "size", 0.005, OWN),
    ("fashion_cnn", "size", 0.005, ALL),
    ("fashion_cnn", "travel", 0.005, ALL),
    ("fashion_cnn", "latency", 0.005, ALL),
)
GIVEN = 1000
"""Test images that the sample brings and the search sees."""
SEEN = ("before", "right", "same")
"""What says nothing of images that the search has seen."""


def rows(folder: Path, minutes: float) -> Iterator[dict[str, Any]]:
    """Yield one row for each search: the goal, the drop, what was found, and the figures of the best file."""
    for search in SEARCHES:
        yield row(folder, minutes, *search)


def row(folder: Path, minutes: float, name: str, goal: str, drop: float, samples: str) -> dict[str, Any]:
    """Search once, and return what was found."""
    out = folder / f"tuned-{name}-{goal}-{len(samples)}"
    source, given = SAMPLES / name / "model.onnx", next((SAMPLES / name).glob("test.*"))
    given = given if samples == OWN else everything(folder)
    words = ["tune", source, "--data", given, "--minimise", goal, "--max-drop", drop, "--budget-minutes", minutes]
    code = command([*map(str, words), "-o", str(out)])
    report = json.loads((out / "report.json").read_text())
    found = {"name": name if samples == OWN else f"{name}, {samples}", "goal": goal, "drop": drop, "minutes": minutes}
    found |= {"exit": code, "found": report["sentence"]}
    best = out / "best.onnx"
    return {**found, **(fresh(name if samples == OWN else samples, best, source, folder) if best.exists() else {})}


def everything(folder: Path) -> Path:
    """Write all test images of the pictures as a data set, and return its path."""
    path, test = folder / "fashion10k.npz", SETS["fashion"](folder).test
    np.savez_compressed(path, x=test.x, y=test.y)
    return path


def fresh(name: str, best: Path, source: Path, folder: Path) -> dict[str, Any]:
    """Return the recipe and the figures of a winner on the samples that the search never had; without such samples, the bytes alone."""
    recipe = {"recipe": json.loads((best.parent / "recipe.json").read_text())}
    if name not in ("fashion_cnn", ALL):
        return {
            **recipe,
            "bytes": best.stat().st_size,
            "smaller": round(source.stat().st_size / best.stat().st_size, 2),
            "smaller_travelling": round(source.stat().st_size / len(packed(best.read_bytes())), 2),
        }
    test = SETS["fashion"](folder).test.rows(slice(GIVEN if name == "fashion_cnn" else None, None))
    figures = {**recipe, "before": [right(source, test), len(test)], **measured(best, source, test)}
    return figures if name == "fashion_cnn" else {key: one for key, one in figures.items() if key not in SEEN}
