"""What ONNX Runtime's own trace says of each node: how long it took, and the shapes that it met.

The trace is a list of events in the form that Chrome's and Perfetto's viewers read. It counts a node each time it runs, so
that bodies of loops and the branch that was taken show.
"""

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from core.domain.errors import Refused, first_line

if TYPE_CHECKING:
    from onnxruntime import SessionOptions

Shape = tuple[int, ...]
KERNEL = "_kernel_time"
WIDTHS = {
    **dict.fromkeys(("double", "int64", "uint64"), 8),
    **dict.fromkeys(("float", "int32", "uint32"), 4),
    **dict.fromkeys(("float16", "bfloat16", "int16", "uint16"), 2),
    **dict.fromkeys(("int8", "uint8", "bool"), 1),
}
"""Bytes of an element by the names of the trace; of text nothing is known."""
MOST_EVENTS = 10_000
"""Events of a trace that is handed on: more than a viewer draws well."""


@dataclass(frozen=True)
class Ran:
    """One run of one node: its name, its operator, microseconds, element type and shape of what it took and gave, and the bytes of weights among these."""

    name: str
    operator: str
    microseconds: float
    takes: tuple[tuple[str, Shape], ...]
    gives: tuple[tuple[str, Shape], ...]
    weights: int

    @property
    def given(self) -> tuple[int, ...]:
        """The bytes of each tensor that it gave."""
        return tuple(WIDTHS.get(dtype, 0) * math.prod(shape) for dtype, shape in self.gives)

    @property
    def moved(self) -> int:
        """The bytes of all that it took and gave."""
        return sum(WIDTHS.get(dtype, 0) * math.prod(shape) for dtype, shape in (*self.takes, *self.gives))


@dataclass(frozen=True)
class Traced:
    """One call that was traced: its microseconds, and what ran in it, in order."""

    microseconds: float
    ran: tuple[Ran, ...]


@dataclass(frozen=True)
class As:
    """How a file is run to be traced: as it is served, or as it is written, node by node with every weight in sight."""

    optimised: bool
    prepacked: bool


SERVED, WRITTEN, UNPACKED = As(True, True), As(False, False), As(True, False)
"""As served; as the file has it; and as served but with weights where the trace sees them."""


def trace(
    model: Path | bytes,
    inputs: dict[str, np.ndarray],
    how: As,
    calls: int,
    graph: Path | None = None,
    out: Path | None = None,
) -> list[Traced]:
    """Run a model so often and return each call; the graph that runs is written to ``graph``, its weights beside it, and the trace to ``out``, where these are named.

    Raises Refused where it does not run.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = _options(how, graph)
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
        events: list[dict[str, Any]] = json.loads(Path(session.end_profiling()).read_text())
    if out is not None:
        out.write_text(json.dumps(events[:MOST_EVENTS]))
    return list(_calls(events))


def _options(how: As, graph: Path | None) -> "SessionOptions":
    import onnxruntime

    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level, options.enable_profiling = 4, True
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if how.optimised else levels.ORT_DISABLE_ALL
    if not how.prepacked:
        options.add_session_config_entry("session.disable_prepacking", "1")
    if graph is not None:
        options.optimized_model_filepath = str(graph)
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "weights.bin")
        options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", "1024")
    return options


def _calls(events: list[dict[str, Any]]) -> Iterator[Traced]:
    """Divide the events by call: that of the whole call follows those of its nodes."""
    ran: list[Ran] = []
    for event in events:
        name, args = str(event.get("name", "")), event.get("args", {})
        if event.get("cat") == "Node" and name.endswith(KERNEL):
            takes, gives = (_tensors(args.get(f"{side}_type_shape", ())) for side in ("input", "output"))
            weights = int(args.get("parameter_size", 0))
            ran.append(Ran(name.removesuffix(KERNEL), str(args["op_name"]), float(event["dur"]), takes, gives, weights))
        elif name == "model_run":
            yield Traced(float(event["dur"]), tuple(ran))
            ran = []


def _tensors(found: list[dict[str, list[int]]]) -> tuple[tuple[str, Shape], ...]:
    return tuple((dtype, tuple(shape)) for one in found for dtype, shape in one.items())
