"""Values between operators by name: one small file for each format that can show them.

Formats that went through ONNX keep its names: torch's exporter calls a value like the program's node, and OpenVINO calls
a tensor like the ONNX value. So two files are compared where both have a name for the same value.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from core.domain.errors import Refused
from core.proof.traces import onnx, openvino, torch_export


class Trace(Protocol):
    """A loaded model that shows what its operators hand on."""

    names: tuple[str, ...]
    """The values between operators in the order in which they are computed."""

    def values(self, names: list[str], inputs: Mapping[str, np.ndarray]) -> Mapping[str, object]:
        """Run the model once on arrays by name, or by position where the names differ, and return the named values."""

    def outputs(self, inputs: Mapping[str, np.ndarray]) -> Sequence[object]:
        """Run the model once and return its answers in order."""

    def where(self, name: str) -> str:
        """Name the operator that makes a value, in the words of the format."""


TRACES: Mapping[str, Callable[[Path], Trace]] = {
    "onnx": onnx.OnnxTrace,
    "onnx_external": onnx.joined,
    "torch_export": torch_export.ProgramTrace,
    "openvino": openvino.IrTrace,
}


def open_trace(path: Path, format: str) -> Trace:
    """Load a file so that its values can be seen. Raises Refused for a format that shows none."""
    if format not in TRACES:
        raise Refused(f"{format} does not expose the values between its operators.", f"These do: {', '.join(TRACES)}.")
    return TRACES[format](path)
