"""Values between the operators of an ONNX graph, by exposing them as outputs."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.onnx import files
from core.runtimes.onnxruntime import DTYPES

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


class OnnxTrace:
    """Runs the graph unoptimised, each operator as it stands in the file.

    What happens inside subgraphs (If, Loop) and functions stays inside: their node's outputs are values like any
    other. What the file says about its values' shapes is dropped, because exporters leave it stale.
    """

    def __init__(self, path: Path) -> None:
        self._model = files.load(path)
        del self._model.graph.value_info[:]
        nodes = self._model.graph.node
        self._makers = {name: (place, node) for place, node in enumerate(nodes, 1) for name in node.output if name}
        self._ends = [output.name for output in self._model.graph.output]
        self.names = tuple(self._makers)

    def values(self, names: list[str], inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run with the named values as outputs."""
        session = self._session(names)
        wanted = session.get_inputs()
        if {value.name for value in wanted} != set(inputs):
            inputs = dict(zip((value.name for value in wanted), inputs.values(), strict=True))
        feed = {value.name: _fitted(inputs[value.name], value.type) for value in wanted}
        return dict(zip(names, session.run(names, feed), strict=True))

    def outputs(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Run with the file's own outputs."""
        return list(self.values(self._ends, inputs).values())

    def where(self, name: str) -> str:
        """Return operator, node and value, with the node's place in the file's order."""
        place, node = self._makers[name]
        of = f"node {place} of {len(self._model.graph.node)}"
        return f"{node.op_type} {node.name or 'without a name'!r} ({of}, output {name!r})"

    def _session(self, names: list[str]) -> "InferenceSession":
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnx
        import onnxruntime

        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in self._ends)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def joined(path: Path) -> OnnxTrace:
    """Load a zip with a model and its weight files."""
    return OnnxTrace(files.unpacked(path))


def _fitted(array: np.ndarray, kind: str) -> np.ndarray:
    """Give an array the type that the input declares."""
    if array.dtype.kind == "U":
        return array.astype(object)
    return array.astype(DTYPES[kind.removeprefix("tensor(").removesuffix(")")])
