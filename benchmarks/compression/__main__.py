"""Measures what is named on the command line and writes figures and table after each result: ``python -m benchmarks.compression WORK [--only NAME ...]``.

What stands in ``docs/compression.json`` and is not measured again stays; ``--only table`` writes the table alone.
"""

import argparse
import json
import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.compression import data, measured, ours, peers, students, tuned
from benchmarks.compression.data import Data
from benchmarks.compression.peer_side import SETTINGS
from benchmarks.compression.table import table
from benchmarks.compression.works import WORKS, Line, Work
from core.shrink.pack import packed

DOCS = Path(__file__).parents[2] / "docs"
FIGURES, PAGE = DOCS / "compression.json", DOCS / "compression.md"
LIBRARIES = ("onnxruntime", "onnx", "torch", "numpy")
SEEDS = (1, 2)
PARTS = [*WORKS, "students", "tuned"]


class Figures:
    """All figures so far, read and written anew for each, so that several runs can add to them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self, work: Work, key: str, row: dict[str, Any]) -> None:
        """Put a row of ours or of a peer in the place of one with the same title."""
        figures = self.read()
        rows = figures["works"][work.name][key]
        rows[:] = [one for one in rows if one["title"] != row["title"]] + [row]
        self.write(figures)

    def begin(self, work: Work, about: dict[str, Any]) -> None:
        """Say what stands about a model before its rows."""
        figures = self.read()
        held = figures["works"].setdefault(work.name, {"name": work.name, "ours": [], "peers": []})
        held.update(about)
        self.write(figures)

    def add(self, table: str, row: dict[str, Any], *key: str) -> None:
        """Put a row into a table of its own, in the place of one with the same key."""
        figures = self.read()
        rows = [one for one in figures[table] if [one[name] for name in key] != [row[name] for name in key]]
        self.write({**figures, table: [*rows, row]})

    def read(self) -> dict[str, Any]:
        """Return what is written, or empty figures."""
        found = json.loads(self._path.read_text()) if self._path.exists() else {}
        return {"works": {}, "students": [], "tuned": [], **found, "machine": machine()}

    def write(self, figures: dict[str, Any]) -> None:
        """Write figures and page, each whole or not at all."""
        for path, text in ((self._path, json.dumps(figures, indent=1) + "\n"), (PAGE, table(figures))):
            part = path.with_name(f"{path.name}.{os.getpid()}")
            part.write_text(text)
            part.replace(path)


def machine() -> dict[str, Any]:
    """Return the processor, its cores, and the versions here."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def measure(figures: Figures, work: Work, lines: list[Line], folder: Path, sides: list[str], jobs: int) -> None:
    """Measure one model: the source, our lines, the peers."""
    known = data.SETS[work.data](folder)
    source = work.source(known, folder)
    about = {
        "data": known.words,
        "learned_from": min(work.rows, len(known.learning)),
        "source": described(source, known),
    }
    figures.begin(work, about)
    if "ours" in sides:
        for row in (row for line in lines for row in lined(work, line, source, known, folder, jobs)):
            figures.keep(work, "ours", row)
    if "peers" in sides:
        for setting in work.peers:
            figures.keep(work, "peers", peer(setting, source, known, folder))


def described(source: Path, known: Data) -> dict[str, Any]:
    """Return what is said of a source."""
    return {
        "bytes": source.stat().st_size,
        "packed": len(packed(source.read_bytes())),
        "right": [measured.right(source, known.test), len(known.test)],
        "choosing": [measured.right(source, known.choosing), len(known.choosing)],
    }


def lined(work: Work, line: Line, source: Path, known: Data, folder: Path, jobs: int) -> Iterator[dict[str, Any]]:
    """Yield the row of each recipe of a line as it comes, and at last the chosen one's again, marked."""
    before, found, rows = measured.right(source, known.choosing), [], []
    for number, one in enumerate(ours.tries(work, line, folder, jobs)):
        figures = {} if one.refused else measured.measured(one.path, source, known.test)
        title = f"ours: {line.name}, {number + 1}"
        row = {"title": title, "line": line.name, "chosen": False, **one.to_json(), **figures}
        found.append(one)
        rows.append(row)
        yield row
    best = ours.strongest(found, (before, len(known.choosing)), work.drop)
    if best is not None:
        yield {**rows[found.index(best)], "chosen": True}


def peer(setting: str, source: Path, known: Data, folder: Path) -> dict[str, Any]:
    """Return the row of a peer at one setting; what does not run costs its row."""
    out, said = peers.made(setting, source, known, folder)
    row = {"title": SETTINGS[setting][0], "setting": setting, "calibration": peers.CALIBRATION, **said}
    if "refused" in said:
        return row
    try:
        return {**row, **measured.measured(out, source, known.test)}
    except Exception as error:
        return {**row, "refused": f"the file does not run: {' '.join(str(error).split())[:200]}"}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compression", description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, help="folder for data, models and the peers' environment")
    parser.add_argument("--only", nargs="+", choices=[*PARTS, "table"], default=PARTS)
    parser.add_argument("--line", help="only the line of recipes of this name")
    parser.add_argument("--minutes", type=float, default=6.0, help="minutes of each search by Tune")
    parser.add_argument("--jobs", type=int, default=1, help="recipes that run at a time")
    parser.add_argument("--sides", nargs="+", choices=["ours", "peers"], default=["ours", "peers"])
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    folder, figures = chosen.work.resolve(), Figures(FIGURES)
    for name in (name for name in chosen.only if name in WORKS):
        lines = [line for line in WORKS[name].lines if chosen.line in (None, line.name)]
        measure(figures, WORKS[name], lines, folder, chosen.sides, chosen.jobs)
    if "students" in chosen.only:
        for row in students.rows(data.mnist(folder), folder, SEEDS):
            figures.add("students", row, "setting", "seed")
    if "tuned" in chosen.only:
        for row in tuned.rows(folder, chosen.minutes):
            figures.add("tuned", row, "name", "goal")
    figures.write(figures.read())


if __name__ == "__main__":
    main()
