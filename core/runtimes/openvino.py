"""OpenVINO on the CPU: the reference for its own format."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from core.domain.artifact import Dim, Signature, TensorSpec
from core.domain.errors import Refused
from core.domain.operators import Spent
from core.domain.recipe import Option
from core.domain.runtime import UNKNOWN_INTEGER, Domain, Runtime, Session
from core.libraries import ir

if TYPE_CHECKING:
    from openvino import ConstOutput, Model, Node

PASSING = {
    **dict.fromkeys(
        ("Convert", "Reshape", "Unsqueeze", "Squeeze", "Transpose", "StridedSlice", "Slice", "Broadcast", "Clamp"), 0
    ),
    "Select": 2,
}
"""Operators that hand ids on as they are, with the place of the ids; Keras selects between ids and ids counted from the end."""


class OpenVino(Runtime):
    """Runs on one thread in 32-bit floats and forgets its state before each call, so that equal inputs give equal bits."""

    title = "OpenVINO"
    sentence = "Runs OpenVINO IR on the CPU, without telemetry."
    formats = ("openvino",)
    packages = ("numpy", "openvino")
    kind = "light"
    without_vnni = MappingProxyType({"ONEDNN_MAX_CPU_ISA": "AVX2"})

    traces = True

    def open_traced(self, path: Path, format: str, given: dict[str, Option]) -> Session:
        """Read and compile the model with the engine's counters on."""
        return IrSession(ir.read(path), counting=True)

    def open(self, path: Path, format: str) -> Session:
        """Read and compile the model. Raises Refused with the engine's reason when it cannot."""
        return IrSession(ir.read(path))


class IrSession(Session):
    """A compiled model with the names that its file gives to inputs and outputs."""

    def __init__(self, model: "Model", *, counting: bool = False) -> None:
        self.signature = Signature(
            tuple(_spec(port, place, "input") for place, port in enumerate(model.inputs)),
            tuple(_spec(port, place, "output") for place, port in enumerate(model.outputs)),
        )
        bounds = _id_bounds(model)
        self.domains = {spec.name: _domain(spec, bounds.get(place)) for place, spec in enumerate(self.signature.inputs)}
        self._request = ir.compiled(model, counting=counting).create_infer_request()

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the model once on arrays by name."""
        for state in self._request.query_state():
            state.reset()
        feed = {n: np.array(inputs[s.name], order="C") for n, s in enumerate(self.signature.inputs)}
        try:
            answer = self._request.infer(feed, share_inputs=False, share_outputs=False)
        except RuntimeError as error:
            raise Refused(f"OpenVINO cannot run this input: {ir.cause(error)}", "Use other inputs.") from None
        names = [spec.name for spec in self.signature.outputs]
        return {name: _plain(answer[place]) for place, name in enumerate(names)}

    def spent(self, inputs: dict[str, np.ndarray], trace: Path) -> list[Spent]:
        """Run once, and return the engine's counters of what it executed; they have no times of day, so there is no trace."""
        self.run(inputs)
        ran = [one for one in self._request.get_profiling_info() if one.status.name == "EXECUTED"]
        return [Spent(one.node_name, one.node_type, 1.0, one.real_time.total_seconds() * 1e6) for one in ran]


def _spec(port: "ConstOutput", place: int, side: str) -> TensorSpec:
    """Return a port's spec; a free first dimension is the batch."""
    kind, shape = port.get_element_type().get_type_name(), port.get_partial_shape()
    name = min(port.get_names(), default=f"{side}_{place}")
    if shape.rank.is_dynamic:
        return TensorSpec(name, dtype(kind), None)
    dims: tuple[Dim, ...] = tuple(
        dim.get_length() if dim.is_static else ("batch" if number == 0 else None) for number, dim in enumerate(shape)
    )
    return TensorSpec(name, dtype(kind), dims)


def dtype(kind: str) -> str:
    """Return the NumPy name of an element type such as ``f32`` or ``u8``."""
    return ir.TYPES.get(kind) or re.sub(r"^(i|u)(?=\d)", lambda m: {"i": "int", "u": "uint"}[m[1]], kind)


def _domain(spec: TensorSpec, bound: int | None) -> Domain:
    if bound:
        return Domain("ids", bound=bound)
    if spec.dtype == "str":
        return Domain("choice", values=("a", "b", ""))
    return Domain() if "float" in spec.dtype else UNKNOWN_INTEGER


def _id_bounds(model: "Model") -> dict[int, int]:
    """Return, by the place of each input that looks rows up in a table, the rows of the smallest such table."""
    places = {port.get_node().get_friendly_name(): place for place, port in enumerate(model.inputs)}
    bounds: dict[int, int] = {}
    for table, ids in _lookups(model):
        node = ids
        while node.get_type_name() in PASSING:
            node = _source(node, PASSING[node.get_type_name()])
        place = places.get(node.get_friendly_name())
        if place is not None:
            bounds[place] = min(bounds.get(place, table), table)
    return bounds


def _lookups(model: "Model") -> Iterator[tuple[int, "Node"]]:
    """Yield the rows of each constant table along axis 0, and the node that gives the ids."""
    for node in model.get_ordered_ops():
        if node.get_type_name() != "Gather":
            continue
        table, axis = _through(_source(node, 0)), _source(node, 2)
        if table.get_type_name() == axis.get_type_name() == "Constant" and not int(axis.get_data().reshape(-1)[0]):
            yield int(table.get_output_shape(0)[0]), _source(node, 1)


def _through(node: "Node") -> "Node":
    """Return what a conversion of precision converts, or the node itself."""
    return _source(node, 0) if node.get_type_name() == "Convert" else node


def _source(node: "Node", place: int) -> "Node":
    return node.input(place).get_source_output().get_node()


def _plain(value: np.ndarray) -> np.ndarray:
    return np.asarray(value).astype(np.str_) if value.dtype.kind in "OSU" else np.array(value)


RUNTIME = OpenVino()
