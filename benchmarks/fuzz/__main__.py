"""``python -m benchmarks.fuzz FOLDER [--seed S] [--count N] [--family F ...]``: study seeds S to S + N - 1 of every family, and sum up.

Rows are added to ``FOLDER/rows.jsonl``, one a conversion; models with findings are kept beside it. A run that was stopped
goes on where it stood: seeds that have rows are not studied again. The summary goes to stdout as one JSON object.
"""

import argparse
import json
import multiprocessing
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.fuzz.study import FAMILIES, Row, study

BATCH = {"graphs": 8, "pipelines": 8, "forests": 8, "networks": 4, "stacks": 3}
ROWS = "rows.jsonl"
TASKS = 6
"""Batches that one child does before a fresh one takes its place: libraries keep what they compiled."""


class Child:
    """One process that studies batches; where it dies, another studies the seeds one by one."""

    def __init__(self, farther: int, kept: Path) -> None:
        self._farther, self._kept, self._pool = farther, kept, _started()

    def ask(self, family: str, seeds: tuple[int, ...]) -> list[Row]:
        """Return the rows of some seeds."""
        try:
            return self._pool.submit(study, family, seeds, self._farther, self._kept).result()
        except BrokenProcessPool:
            self._pool = _started()
            if len(seeds) > 1:
                return [row for seed in seeds for row in self.ask(family, (seed,))]
            return [
                {"family": family, "seed": seeds[0], "ended": "accident", "where": "child", "words": "The child died."}
            ]

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown()


def _started() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), max_tasks_per_child=TASKS)


def batches(
    families: Iterable[str], seeds: range, known: set[tuple[str, int]]
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield what is left to do, a few seeds of each family in turn."""
    left = {family: [seed for seed in seeds if (family, seed) not in known] for family in families}
    while any(left.values()):
        for family, rest in left.items():
            if rest:
                part, left[family] = tuple(rest[: BATCH[family]]), rest[BATCH[family] :]
                yield family, part


def run(folder: Path, families: Iterable[str], seeds: range, farther: int = 1) -> list[Row]:
    """Study what is not yet in the folder, and return all of its rows."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / ROWS
    known = {(row["family"], row["seed"]) for row in read(place)}
    with place.open("a") as file, closing(Child(farther, folder.resolve())) as child:
        for family, part in batches(families, seeds, known):
            file.writelines(json.dumps(row) + "\n" for row in child.ask(family, part))
            file.flush()
    return read(place)


def read(place: Path) -> list[Row]:
    """Return the rows of a file."""
    return [json.loads(line) for line in place.read_text().splitlines()] if place.exists() else []


def findings(rows: Iterable[Row], grade: str = "sure") -> list[Row]:
    """Return the rows whose PASS was refuted with this certainty."""
    return [row for row in rows if any(one["grade"] == grade for one in row.get("findings", ()))]


def summary(rows: list[Row]) -> dict[str, Any]:
    """Count how the conversions of each converter ended, and how many were refuted."""
    by: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        by[row.get("converter", "source")][row["ended"]] += 1
        for grade in {one["grade"] for one in row.get("findings", ())}:
            by[row["converter"]][f"refuted: {grade}"] += 1
    judged = [row for row in rows if "converter" in row]
    asked, proof = (sum(row.get(name, 0) for row in judged if "asked" in row) for name in ("asked", "proof"))
    wrong = [f"{row['family']} {row['seed']} {row['converter']}" for row in findings(judged)]
    return {
        "models": len({(row["family"], row["seed"]) for row in rows if row["ended"] != "unmade"}),
        "conversions": len(judged),
        "samples": {"proof": proof, "asked": asked},
        "wrong_pass": wrong,
        "by_converter": {name: dict(counts.most_common()) for name, counts in sorted(by.items())},
    }


def main() -> None:
    """Read the command line, study, and print the summary."""
    parser = argparse.ArgumentParser(prog="benchmarks.fuzz", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--family", nargs="*", default=list(FAMILIES), choices=FAMILIES)
    given = parser.parse_args()
    seeds = range(given.seed, given.seed + given.count)
    rows = run(given.folder, given.family, seeds)
    json.dump(summary(rows), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
