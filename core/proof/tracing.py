"""What ONNX Runtime's own trace says of each node: how long it took, and the shapes that it met.

The trace is a list of events in the form that Chrome's and Perfetto's viewers read. It counts a node each time it runs, so
that bodies of loops and the branch that was taken show.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from core.domain.errors import Refused, first_line

Shape = tuple[int, ...]
KERNEL = "_kernel_time"


@dataclass(frozen=True)
class Ran:
    """One run of one node: its name, its operator, microseconds, and element type and shape of what it took and gave."""

    name: str
    operator: str
    microseconds: float
    takes: tuple[tuple[str, Shape], ...]
    gives: tuple[tuple[str, Shape], ...]


@dataclass(frozen=True)
class As:
    """How a file is run to be traced: as it is served, or as it is written, node by node with every weight in sight."""

    optimised: bool
    prepacked: bool


SERVED, WRITTEN, UNPACKED = As(True, True), As(False, False), As(True, False)
"""As served; as the file has it; and as served but with weights where the trace sees them."""


def trace(
    model: Path | bytes, inputs: dict[str, np.ndarray], how: As, calls: int, out: Path | None = None
) -> list[Ran]:
    """Run a model so often and return what ran, in order; the raw trace goes to ``out`` where one is named.

    Raises Refused where it does not run.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level, options.enable_profiling = 4, True
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if how.optimised else levels.ORT_DISABLE_ALL
    if not how.prepacked:
        options.add_session_config_entry("session.disable_prepacking", "1")
    with TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "trace")
        try:
            given = model if isinstance(model, bytes) else str(model)
            session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
            feed = {name: array.astype(object) if array.dtype.kind == "U" else array for name, array in inputs.items()}
            for _ in range(calls):
                session.run(None, feed)
        except Exception as error:
            raise Refused(
                f"ONNX Runtime cannot run this model while it is watched: {first_line(error)}", "Try other inputs."
            ) from None
        written = Path(session.end_profiling())
        if out is not None:
            out.write_bytes(written.read_bytes())
        return list(_ran(json.loads(written.read_text())))


def _ran(events: list[dict[str, Any]]) -> Iterator[Ran]:
    for event in events:
        name, args = str(event.get("name", "")), event.get("args", {})
        if event.get("cat") == "Node" and name.endswith(KERNEL):
            takes, gives = (_tensors(args.get(f"{side}_type_shape", ())) for side in ("input", "output"))
            yield Ran(name.removesuffix(KERNEL), str(args["op_name"]), float(event["dur"]), takes, gives)


def _tensors(found: list[dict[str, list[int]]]) -> tuple[tuple[str, Shape], ...]:
    return tuple((dtype, tuple(shape)) for one in found for dtype, shape in one.items())
