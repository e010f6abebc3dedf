"""Our side: each recipe of a line is run as the child runs it, and the strongest that keeps to the drop on the choosing samples is tested."""

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.compression.data import SETS, Part
from benchmarks.compression.measured import right
from benchmarks.compression.works import WORKS, Line, Work
from core.domain.codec import encode
from core.domain.errors import PortolanError
from core.domain.recipe import Step
from core.domain.technique import Lesson
from core.domain.transform import parse_options
from core.techniques import TECHNIQUES


@dataclass(frozen=True)
class Try:
    """One recipe that ran: its file, how it fares on the choosing samples, and seconds by wall and processor."""

    recipe: tuple[Step, ...]
    path: Path
    choosing: tuple[int, int]
    wall: float
    processor: float
    refused: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the row of a recipe that may or may not be the chosen one."""
        return {
            "recipe": encode(self.recipe),
            "bytes": self.path.stat().st_size if self.path.exists() else None,
            "choosing": self.choosing,
            "seconds": {"wall": round(self.wall, 1), "processor": round(self.processor, 1)},
            "refused": self.refused,
        }


def tries(work: Work, line: Line, folder: Path, jobs: int) -> Iterator[Try]:
    """Yield what came of each recipe in their order, some at a time, each in a process of its own."""
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        place = work.lines.index(line)
        given = [(work.name, place, number, folder) for number in range(len(line.recipes))]
        yield from pool.map(attempt, *zip(*given, strict=True))


def attempt(name: str, place: int, number: int, folder: Path) -> Try:
    """Run one recipe; it learns from the learning samples alone, and is asked the choosing ones."""
    work = WORKS[name]
    recipe, data = work.lines[place].recipes[number], SETS[work.data](folder)
    path, refused = folder / f"{name}-{place}-{number}.onnx", ""
    wall, processor = time.monotonic(), time.process_time()
    try:
        applied(recipe, work.source(data, folder), path, data.learning.rows(slice(work.rows)))
    except PortolanError as error:
        refused = error.message
    taken = time.monotonic() - wall, time.process_time() - processor
    found = 0 if refused else right(path, data.choosing)
    return Try(recipe, path, (found, len(data.choosing)), *taken, refused)


def applied(recipe: tuple[Step, ...], source: Path, out: Path, learning: Part) -> None:
    """Run the steps one on the other, each with as many samples as the verb gives it."""
    now = source
    for number, step in enumerate(recipe):
        technique, later = TECHNIQUES[step.transform], out.with_suffix(f".{number}.onnx")
        part = learning.rows(slice(technique.rows))
        lesson = Lesson(source, {"x": part.x}, part.y) if technique.calibrates else Lesson(source, {})
        technique.apply(now, later, parse_options(technique.Options, step.options), lesson)
        now = later
    now.replace(out)


def strongest(found: list[Try], before: tuple[int, int], drop: float) -> Try | None:
    """Return the last recipe that loses no more than the drop on the choosing samples."""
    fitting = [one for one in found if not one.refused and before[0] - one.choosing[0] <= drop * before[1]]
    return fitting[-1] if fitting else None
