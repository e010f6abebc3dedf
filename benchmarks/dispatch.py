"""How long a job waits for the border: request to a warm child, jail locked, small model audited and read, answer back.

Rounds of the two kinds and of cancel alternate in one run; one JSON object on stdout, with every sample.
Run by ``make bench``.
"""

import contextlib
import json
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path

from core.domain.errors import Cancelled
from core.domain.limits import Limits
from core.sandbox import Sandbox

ROUNDS = 20
SAMPLES = Path(__file__).parents[1] / "sample_models"
MODELS = {"light": SAMPLES / "segment" / "model.onnx", "torch": SAMPLES / "fashion_cnn" / "model.pt"}
BREATH_SECONDS = 4.0
"""Time for the next spare to get warm, so that a sample is dispatch and not somebody's start."""


def answered(box: Sandbox, kind: str, file: Path) -> float:
    """Return the milliseconds from request to answer of one small task on one model."""
    time.sleep(BREATH_SECONDS)
    started = time.perf_counter()
    with box.run("inspect", {"file": "model", "name": file.name}, {"model": file}, Limits(), kind=kind):
        return 1000 * (time.perf_counter() - started)


def cancelled(box: Sandbox, file: Path) -> float:
    """Return the milliseconds from a cancel in mid-task to the end of the child."""
    time.sleep(BREATH_SECONDS)
    cancel, pressed = threading.Event(), []

    def press(fraction: float | None, text: str) -> None:
        pressed.append(time.perf_counter())
        cancel.set()

    args = {"file": "model", "name": file.name}
    with (
        contextlib.suppress(Cancelled),
        box.run("inspect", args, {"model": file}, Limits(), progress=press, cancel=cancel),
    ):
        pass
    return 1000 * (time.perf_counter() - pressed[0])


def measure() -> dict[str, object]:
    """Return every sample in milliseconds, with medians, the machine's cores and its load before."""
    load = os.getloadavg()[0]
    samples: dict[str, list[float]] = {"light": [], "torch": [], "cancel": []}
    with tempfile.TemporaryDirectory() as folder:
        box = Sandbox(Path(folder))
        for _ in range(ROUNDS + 1):
            for kind, file in MODELS.items():
                samples[kind].append(answered(box, kind, file))
            samples["cancel"].append(cancelled(box, MODELS["light"]))
        box.close()
    kept = {name: [round(value, 1) for value in values[1:]] for name, values in samples.items()}
    medians = {name: round(statistics.median(values), 1) for name, values in kept.items()}
    return {"unit": "ms", "median": medians, "samples": kept, "cores": os.cpu_count(), "load_before": round(load, 2)}


if __name__ == "__main__":
    print(json.dumps(measure()))
