"""How small a difference in speed is found, and how often two equal files are called different, while the machine is busy.

Equal: a convolution net and a transformer of ``sample_models``, and further ONNX files that are named (an OCR network of a
public package, for example), each against itself. Different: a chain of 21 equal layers against 20 (5 %) and of 51 against
50 (2 %). Each pair is judged by the race that Profile runs, and beside it by what people do by hand, the medians of 1,000
calls of either one after the other; in turns, with processes of our own keeping every core busy. Wanted: "same" in 38 of 40
and at most one other verdict but "unclear", 5 % found in 38 of 40, 2 % in 32 of 40, a median run under 10 s. One JSON object
on stdout. Run by ``python -m benchmarks.resolution [repeats [file ...]]``; 40 repeats take about an hour.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.races import SAMPLES, chain, raced
from core.proof.parity import feed
from core.proof.samples import Sampler
from core.runtimes import runtime_for

REPEATS = 40
SECONDS = 8.0
BY_HAND = 1000
NOTABLE = 0.01
"""By hand, medians further apart than this count as a difference."""
SPIN = "while True: sum(range(10000))"
TRUTH = {"5 %": "slower", "2 %": "slower"}


@contextmanager
def busy() -> Iterator[None]:
    """Keep every core busy with processes of our own."""
    others = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for one in others:
            one.kill()
            one.wait()


def pairs(folder: Path, further: list[Path]) -> dict[str, tuple[Path, Path]]:
    """Return the pairs by name."""
    equal = [SAMPLES / name / "model.onnx" for name in ("fashion_cnn", "spam_transformer")] + further
    found = {f"equal: {path.parent.name}/{path.name}": (path, path) for path in equal}
    for percent, layers in (("5 %", 20), ("2 %", 50)):
        found[percent] = chain(layers, folder / f"{layers}.onnx"), chain(layers + 1, folder / f"{layers + 1}.onnx")
    return found


def by_hand(pair: tuple[Path, Path], calls: int) -> str:
    """Time one after the other and compare the medians of the wall clock."""
    runtime, medians = runtime_for("onnx"), []
    for path in pair:
        session = runtime.open(path, "onnx")
        given, times = feed(session, Sampler(session, 0).random(1, 0)), []
        for _ in range(calls):
            at = time.perf_counter_ns()
            session.run(given)
            times.append(time.perf_counter_ns() - at)
        medians.append(statistics.median(times))
    ratio = medians[0] / medians[1]
    return "same" if abs(ratio - 1) <= NOTABLE else "faster" if ratio > 1 else "slower"


def measure(repeats: int, further: list[Path], seconds: float = SECONDS, calls: int = BY_HAND) -> dict[str, Any]:
    """Judge each pair ``repeats`` times in both ways, the pairs in turns."""
    ours, hand, took = dict[str, list[str]](), dict[str, list[str]](), dict[str, list[float]]()
    noise: list[float] = []
    with tempfile.TemporaryDirectory() as folder, busy():
        for repeat in range(repeats):
            for name, pair in pairs(Path(folder), further).items():
                found, spent = raced(*pair, repeat, seconds)
                noise.append(found.interference)
                took.setdefault(name, []).append(spent)
                ours.setdefault(name, []).append(str(found.pace))
                hand.setdefault(name, []).append(by_hand(pair, calls))
    return {
        "repeats": repeats,
        "cores": os.cpu_count(),
        "mean_interference": round(statistics.mean(noise), 2),
        "cases": {
            name: {
                "wanted": TRUTH.get(name, "same"),
                "race": Counter(ours[name]),
                "by_hand": Counter(hand[name]),
                "median_seconds": round(statistics.median(took[name]), 1),
            }
            for name in ours
        },
    }


if __name__ == "__main__":
    words = sys.argv[1:]
    print(json.dumps(measure(int(words[0]) if words else REPEATS, [Path(one) for one in words[1:]]), indent=1))
