"""Names the first operator where two ONNX graphs part, by comparing the values between operators that both name."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from core import onnx_files
from core.proof import golden
from core.proof.golden import Golden

ROWS = 3
NOISE = 1e-4
"""Share of the largest value in a tensor up to which a difference is rounding; a changed weight is far above it."""
MAX_VALUES = 5_000


def first(source: Path, target: Path, path: Path) -> str | None:
    """Return the first operator of the target, in its order, whose answer differs from the source's.

    Runs both graphs unoptimised on the recorded case on which they differ most. None when they name nothing in
    common, or part nowhere.
    """
    before, after = onnx_files.load(source), onnx_files.load(target)
    recorded = golden.read(path)
    shared = [name for name in _values(after) if name in set(_values(before))][:MAX_VALUES]
    numbers = [n for n, case in enumerate(recorded.cases) if case.stored and case.counted]
    if not shared or not numbers:
        return None
    sessions = [_exposed(model, shared) for model in (before, after)]
    worst = max(numbers, key=lambda n: _distance(sessions, recorded, n))
    left, right = (_run(session, shared, _inputs(recorded, worst)) for session in sessions)
    producers = {output: node for node in after.graph.node for output in node.output}
    for name in shared:
        if (gap := _parts(left[name], right[name])) is not None:
            node = producers[name]
            return f"{node.op_type} {node.name or 'without a name'!r} (output {name!r}): {gap}"
    return None


def _values(model: Any) -> list[str]:
    return [name for node in model.graph.node for name in node.output if name]


def _exposed(model: Any, names: list[str]) -> Any:
    """Open a model with the named values as outputs, each operator as it stands in the file."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnx
    import onnxruntime

    known = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _inputs(recorded: Golden, number: int) -> dict[str, Any]:
    rows = ROWS if recorded.free_batch else None
    values = {name: array[:rows] for name, array in recorded.case_inputs(number).items()}
    return {name: value.astype(object) if value.dtype.kind == "U" else value for name, value in values.items()}


def _run(session: Any, names: list[str], inputs: dict[str, Any]) -> dict[str, Any]:
    feed = {value.name: array for value, array in zip(session.get_inputs(), inputs.values(), strict=True)}
    feed |= {value.name: inputs[value.name] for value in session.get_inputs() if value.name in inputs}
    return dict(zip(names, session.run(names, feed), strict=True))


def _distance(sessions: list[Any], recorded: Golden, number: int) -> float:
    """Return the largest difference of the graphs' last shared answer on one case; infinite when a graph refuses it."""
    ends = [output.name for output in sessions[0].get_outputs()]
    shared = [name for name in ends if name in {output.name for output in sessions[1].get_outputs()}]
    try:
        left, right = (_run(session, shared, _inputs(recorded, number)) for session in sessions)
    except Exception:
        return -1.0
    return max((_gap(left[name], right[name]) for name in shared), default=0.0)


def _gap(a: Any, b: Any) -> float:
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray) or a.shape != b.shape or a.dtype.kind != "f":
        return 0.0
    gap = np.abs(a.astype(np.float64) - b.astype(np.float64))
    return float(np.where(np.isnan(gap), 0.0, gap).max(initial=0.0))


def _parts(a: Any, b: Any) -> str | None:
    """Return how two values differ beyond rounding, or None when they do not."""
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray):
        return None
    if a.shape != b.shape or a.dtype.kind != b.dtype.kind:
        return f"{b.dtype} {b.shape} where the source has {a.dtype} {a.shape}"
    if a.dtype.kind != "f":
        wrong = int((a != b).sum())
        return f"{wrong} of {a.size} values differ" if wrong else None
    finite = np.isfinite(a)
    if not np.array_equal(finite, np.isfinite(b)):
        return "not finite where the source is, or the other way round"
    gap = _gap(a[finite], b[finite])
    return f"differs by {gap:.3g}" if gap > NOISE * float(np.abs(a[finite]).max(initial=0.0)) + 1e-7 else None
