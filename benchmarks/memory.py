"""How well the peak of memory repeats: each file ten times in fresh processes, with the spread over the median.

``python -m benchmarks.memory FILE [FILE ...]``, one JSON line a file; exit 1 where a spread is above 1 %, which the line names.
"""

import json
import sys
from pathlib import Path
from statistics import median

from core.calls import footprint, probe
from core.calls.bench import Bench
from core.doors.commands import bench
from core.doors.given import subject_of
from core.sandbox.tools import Tools

RUNS, MOST = 10, 0.01


def measured(tools: Tools, file: Path, runs: int = RUNS) -> dict[str, object]:
    """Measure one file so often, and return its peaks in MB."""
    model = subject_of(tools, file, consent=False).model
    golden = probe.ask(Bench(tools), model, None)
    peaks = [footprint.ask(Bench(tools), model, golden, processes=1).peak for _ in range(runs)]
    spread = (max(peaks) - min(peaks)) / median(peaks)
    return {"file": f"{file.parent.name}/{file.name}", "peaks": peaks, "spread": spread, "repeats": spread <= MOST}


def main(files: list[str]) -> int:
    """Print a line a file; 1 where one does not repeat."""
    with bench() as tools:
        rows = [measured(tools, Path(file)) for file in files]
    for row in rows:
        print(json.dumps(row))
    return 0 if all(row["repeats"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
