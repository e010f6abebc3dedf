"""Names the first operator where two files part, by comparing the values between operators that both name."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from core.proof import golden
from core.proof.golden import Golden
from core.proof.traces import Trace, open_trace

ROWS = 3
NOISE = 1e-4
"""Share of the largest value in a tensor up to which a difference is rounding; a changed weight is far above it."""
MAX_VALUES = 5_000


def first(
    source: Path, target: Path, path: Path, source_format: str = "onnx", target_format: str = "onnx"
) -> str | None:
    """Return the first operator, in the source's order, whose answer in the target differs from the source's.

    Runs both on the recorded case on which the target is furthest from the source. None when they name nothing in
    common, or part nowhere.
    """
    before, after = open_trace(source, source_format), open_trace(target, target_format)
    recorded = golden.read(path)
    held = set(after.names)
    shared = [name for name in before.names if name in held][:MAX_VALUES]
    numbers = [n for n, case in enumerate(recorded.cases) if case.stored and case.counted]
    if not shared or not numbers:
        return None
    inputs = _inputs(recorded, max(numbers, key=lambda n: _distance(after, recorded, n)))
    left, right = before.values(shared, inputs), after.values(shared, inputs)
    for name in shared:
        if name in left and name in right and (gap := _parts(left[name], right[name])) is not None:
            return _told(before.where(name), after.where(name), gap)
    return None


def _told(before: str, after: str, gap: str) -> str:
    origin = "" if before == after else f", in the source {before}"
    return f"{after}{origin}: {gap}"


def _inputs(recorded: Golden, number: int) -> Mapping[str, np.ndarray]:
    rows = ROWS if recorded.free_batch else None
    return {name: array[:rows] if array.ndim else array for name, array in recorded.case_inputs(number).items()}


def _distance(after: Trace, recorded: Golden, number: int) -> float:
    """Return the largest difference between the target's answers and the recorded ones on one case; -1 when it refuses."""
    rows = ROWS if recorded.free_batch else None
    try:
        got = after.outputs(_inputs(recorded, number))
    except Exception:
        return -1.0
    expected = [array[:rows] if array.ndim else array for array in recorded.case_outputs(number)]
    return max((_gap(a, b) for a, b in zip(expected, got, strict=False)), default=0.0)


def _gap(a: object, b: object) -> float:
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray) or a.shape != b.shape or a.dtype.kind != "f":
        return 0.0
    gap = np.abs(a.astype(np.float64) - b.astype(np.float64))
    return float(np.where(np.isnan(gap), 0.0, gap).max(initial=0.0))


def _parts(a: object, b: object) -> str | None:
    """Return how two values differ beyond rounding, or None when they do not."""
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray):
        return None
    if a.squeeze().shape != b.squeeze().shape or (a.dtype.kind == "f") != (b.dtype.kind == "f"):
        return f"{b.dtype} {b.shape}, but the source has {a.dtype} {a.shape}"
    a, b = a.squeeze(), b.squeeze()
    if a.dtype.kind != "f":
        wrong = int((a != b).sum())
        return f"{wrong} of {a.size} values differ" if wrong else None
    finite = np.isfinite(a)
    if not np.array_equal(finite, np.isfinite(b)):
        return "not finite where the source is, or the reverse"
    gap = _gap(a[finite], b[finite])
    return f"differs by {gap:.3g}" if gap > NOISE * float(np.abs(a[finite]).max(initial=0.0)) + 1e-7 else None
