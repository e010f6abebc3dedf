"""What Tune finds with the test file that a sample brings and some minutes, as a visitor would run it.

Its verdict is on the test half of that file. The pictures have 9,000 test images more, which the search never had; the
winner is asked these too.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.compression.data import SETS
from benchmarks.compression.measured import measured, right
from benchmarks.compression.works import SAMPLES
from core.__main__ import main as command

SEARCHES = (
    ("fashion_cnn", "size", 0.005),
    ("fashion_cnn", "latency", 0.005),
    ("spam_transformer", "size", 0.005),
    ("segment", "size", 0.005),
)
GIVEN = 1000
"""Test images that the sample brings and the search sees."""


def rows(folder: Path, minutes: float) -> Iterator[dict[str, Any]]:
    """Yield one row for each search: the goal, the drop, what was found, and the figures of the best file."""
    for name, goal, drop in SEARCHES:
        out = folder / f"tuned-{name}-{goal}"
        source, given = SAMPLES / name / "model.onnx", next((SAMPLES / name).glob("test.*"))
        words = ["tune", source, "--data", given, "--minimise", goal, "--max-drop", drop, "--budget-minutes", minutes]
        code = command([*map(str, words), "-o", str(out)])
        report = json.loads((out / "report.json").read_text())
        row = {"name": name, "goal": goal, "drop": drop, "minutes": minutes, "exit": code, "found": report["sentence"]}
        yield {**row, **(fresh(name, out / "best.onnx", source, folder) if (out / "best.onnx").exists() else {})}


def fresh(name: str, best: Path, source: Path, folder: Path) -> dict[str, Any]:
    """Return the recipe and the figures of a winner on the samples that the search never had; without such samples, the bytes alone."""
    recipe = {"recipe": json.loads((best.parent / "recipe.json").read_text())}
    if name != "fashion_cnn":
        return {
            **recipe,
            "bytes": best.stat().st_size,
            "smaller": round(source.stat().st_size / best.stat().st_size, 2),
        }
    test = SETS["fashion"](folder).test.rows(slice(GIVEN, None))
    return {**recipe, "before": [right(source, test), len(test)], **measured(best, source, test)}
