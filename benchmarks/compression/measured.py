"""Measures a file beside its source: right answers k of n, bytes as it runs and as it travels, paired times."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compression.data import Part
from core.domain.errors import PortolanError
from core.proof.speed import race
from core.runtimes import runtime_for
from core.shrink.pack import packed, unpack

STEP = 256
SEED = 20261121
SECONDS = 20.0


def answers(path: Path, part: Part) -> Any:
    """Return the class [n] that stock onnxruntime answers to each sample."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name, last = session.get_inputs()[0].name, session.get_outputs()[0].name
    pieces = [session.run([last], {name: part.x[n : n + STEP]})[0] for n in range(0, len(part), STEP)]
    found = np.concatenate(pieces)
    return found.argmax(1) if found.ndim > 1 else found


def right(path: Path, part: Part) -> int:
    """Return how many samples are answered with their class."""
    return int((answers(path, part) == part.y).sum())


def measured(path: Path, source: Path, test: Part) -> dict[str, Any]:
    """Return all that is said of one file; ``unpacked`` says that it comes back byte for byte and runs."""
    before, after = answers(source, test), answers(path, test)
    small = packed(path.read_bytes())
    return {
        "bytes": path.stat().st_size,
        "packed": len(small),
        "unpacked": unpack.unpacked(small) == path.read_bytes(),
        "smaller": round(source.stat().st_size / path.stat().st_size, 2),
        "smaller_travelling": round(source.stat().st_size / len(small), 2),
        "right": [int((after == test.y).sum()), len(test)],
        "same": [int((after == before).sum()), len(test)],
        "race": raced(source, path, test),
    }


def raced(source: Path, path: Path, test: Part) -> dict[str, Any] | str:
    """Return how much faster the file is than its source with one sample and one thread, with the 95 % interval, or why not."""
    runtime, inputs = runtime_for("onnx"), {"x": test.x[:1]}
    try:
        found = race(
            runtime.opener(source, "onnx", {}), runtime.opener(path, "onnx", {}), inputs, 1, SEED, seconds=SECONDS
        )
    except PortolanError as error:
        return error.message
    rounded = {key: round(getattr(found, key), 3) for key in ("ratio", "low", "high", "interference")}
    return {**rounded, "rounds": found.rounds, "sessions": found.sessions, "ms": round(found.variant.cpu_p50, 4)}
