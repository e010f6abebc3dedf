"""Values between the operators of an OpenVINO model, by adding results to its tensors; converted models keep the names of ONNX."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.libraries import ir

if TYPE_CHECKING:
    from openvino import Model, OVDict

SILENT = ("Constant", "Parameter", "Result")


class IrTrace:
    """Compiles the model anew with the wanted tensors as results, so that none of them is fused away."""

    def __init__(self, path: Path) -> None:
        self._path = path
        ops = list(ir.read(path).get_ordered_ops())
        self._makers = {
            name: f"{op.get_type_name()} {op.get_friendly_name()!r} (node {place} of {len(ops)})"
            for place, op in enumerate(ops, 1)
            if op.get_type_name() not in SILENT
            for port in op.outputs()
            for name in sorted(port.get_names())
        }
        self.names = tuple(self._makers)

    def values(self, names: list[str], inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run with the named tensors as results."""
        model = ir.read(self._path)
        model.add_outputs(names)
        answer = _infer(model, inputs)
        return {name: np.array(answer[port]) for port in answer for name in port.get_names() if name in names}

    def outputs(self, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Run with the model's own results."""
        return [np.array(value) for value in _infer(ir.read(self._path), inputs).values()]

    def where(self, name: str) -> str:
        """Return operator and node, with its place in the engine's order."""
        return self._makers[name]


def _infer(model: "Model", inputs: Mapping[str, np.ndarray]) -> "OVDict":
    """Run once; arrays go to the ports of their names, else by position."""
    arrays = list(inputs.values())
    feed = {
        place: np.ascontiguousarray(next((inputs[name] for name in port.get_names() if name in inputs), arrays[place]))
        for place, port in enumerate(model.inputs)
    }
    return ir.compiled(model).create_infer_request().infer(feed, share_inputs=False, share_outputs=False)
