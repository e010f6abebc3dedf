"""The other side: an environment of the peers' own, and a process for each setting, so that a crash costs one row."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.compression.data import Data

PINS = (
    ("torch==2.13.0", "onnx==1.23.2", "onnxruntime==1.31.1", "numpy==2.4.6", "nncf==3.4.0"),
    ("onnx-neural-compressor==1.0", "neural-compressor==3.10", "prettytable", "requests"),
    ("olive-ai==0.13.0", "requests"),
)
"""Installed one row after the other; a row that does not install costs its own peers."""
SIDE = Path(__file__).with_name("peer_side.py")
CALIBRATION = 256
SECONDS = 600


def environment(work: Path) -> Path:
    """Return the interpreter of the peers' environment, made where it is not there; what pip said is kept beside it."""
    folder = work / "peers"
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        for number, row in enumerate(PINS):
            done = subprocess.run([python, "-m", "pip", "install", "--quiet", *row], capture_output=True, text=True)
            (folder / f"pip-{number}.log").write_text(done.stdout + done.stderr)
    return python


def made(setting: str, source: Path, data: Data, work: Path) -> tuple[Path, dict[str, Any]]:
    """Return the file that a peer makes with ``CALIBRATION`` samples, and its versions and seconds, or its own last words as ``refused``."""
    calibration, out = (
        work / f"calibration-{source.stem}.npz",
        work / f"{source.parent.name}-{source.stem}-{setting}.onnx",
    )
    np.savez(calibration, x=data.learning.x[:CALIBRATION])
    command = [*map(str, (environment(work), SIDE)), setting, *map(str, (source, calibration, out))]
    started = time.monotonic()
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
    except subprocess.TimeoutExpired:
        return out, {"refused": f"not done after {SECONDS} s"}
    if done.returncode or not out.exists():
        words = [line for line in done.stderr.strip().splitlines() if line.strip()]
        return out, {"refused": words[-1][:240] if words else f"exit {done.returncode}"}
    return out, {"versions": json.loads(done.stdout.splitlines()[-1]), "seconds": round(time.monotonic() - started, 1)}
