"""A graph of any format as an ONNX file without weights, which the viewer draws."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from core.domain.artifact import TensorSpec
from core.formats.anatomy.onnx_dtypes import NAMES


@dataclass(frozen=True)
class Drawn:
    """One operator as it is drawn: its type, its name, and the names of what it takes and gives."""

    type: str
    name: str
    takes: tuple[str, ...]
    gives: tuple[str, ...]


def onnx(
    domain: str,
    nodes: Iterable[Drawn],
    inputs: Iterable[TensorSpec],
    outputs: Iterable[TensorSpec],
    weights: Iterable[TensorSpec],
) -> bytes:
    """Return the bytes of the drawing; ``domain`` is the name of the operators' format."""
    from onnx import helper

    graph = helper.make_graph(
        [helper.make_node(n.type, n.takes, n.gives, name=n.name, domain=domain) for n in nodes],
        domain,
        [_value(spec) for spec in inputs],
        [_value(spec) for spec in outputs],
        [_weight(spec) for spec in weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, 1)], ir_version=10)
    data: bytes = model.SerializeToString()
    return data


def _value(spec: TensorSpec) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(spec.name, _kind(spec.dtype), spec.shape)


def _weight(spec: TensorSpec) -> Any:
    from onnx import TensorProto

    dims = [dim for dim in spec.shape or () if isinstance(dim, int)]
    tensor = TensorProto(name=spec.name, data_type=_kind(spec.dtype), dims=dims, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="weights")
    return tensor


def _kind(dtype: str) -> int:
    """Return ONNX's number for a dtype; undefined when it has none."""
    return next((number for number, name in NAMES.items() if name == dtype.replace("str", "string")), 0)
