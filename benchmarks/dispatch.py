"""How long a job waits for the border: request to a warm child, jail locked, small model audited and read, answer back.

Rounds of the two kinds and of cancel alternate in one run; one JSON object on stdout, with every sample.
Run by ``make bench``, or by ``python -m benchmarks.dispatch [ROUNDS]``.
"""

import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from core.calls import inspect
from core.domain.codec import Json, encode
from core.domain.errors import Cancelled
from core.domain.limits import Limits
from core.sandbox import Sandbox

ROUNDS = 20
SAMPLES = Path(__file__).parents[1] / "sample_models"
MODELS = {"light": SAMPLES / "segment" / "model.onnx", "torch": SAMPLES / "fashion_cnn" / "model.pt"}
BREATH_SECONDS = 4.0
"""Time for the next spare to get warm, so that a sample is dispatch and not somebody's start."""


def answered(box: Sandbox, kind: str, file: Path, breath: float = BREATH_SECONDS) -> float:
    """Return the milliseconds from request to answer of one small task on one model."""
    time.sleep(breath)
    started = time.perf_counter()
    with box.run(inspect.CALL.name, asked(file), {"model": file}, Limits(), kind=kind):
        return 1000 * (time.perf_counter() - started)


def asked(file: Path) -> Json:
    """Return the request to inspect one file."""
    request: Json = encode(inspect.Request(("model",), file.name))
    return request


def cancelled(box: Sandbox, file: Path, breath: float = BREATH_SECONDS) -> float:
    """Return the milliseconds from a cancel in mid-task to the end of the child."""
    time.sleep(breath)
    cancel, pressed = threading.Event(), []

    def press(fraction: float | None, text: str) -> None:
        pressed.append(time.perf_counter())
        cancel.set()

    with (
        suppress(Cancelled),
        box.run(inspect.CALL.name, asked(file), {"model": file}, Limits(), progress=press, cancel=cancel),
    ):
        pass
    return 1000 * (time.perf_counter() - pressed[0])


def measure(
    box: Sandbox, rounds: int = ROUNDS, models: Mapping[str, Path] = MODELS, breath: float = BREATH_SECONDS
) -> dict[str, Any]:
    """Return every sample in milliseconds, with medians, the machine's cores and its load before; a first round warms up."""
    load = os.getloadavg()[0]
    samples: dict[str, list[float]] = {name: [] for name in (*models, "cancel")}
    for _ in range(rounds + 1):
        for kind, file in models.items():
            samples[kind].append(answered(box, kind, file, breath))
        samples["cancel"].append(cancelled(box, MODELS["light"], breath))
    kept = {name: [round(value, 1) for value in values[1:]] for name, values in samples.items()}
    medians = {name: round(statistics.median(values), 1) for name, values in kept.items()}
    return {"unit": "ms", "median": medians, "samples": kept, "cores": os.cpu_count(), "load_before": round(load, 2)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, closing(Sandbox(Path(folder))) as box:
        print(json.dumps(measure(box, int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)))
