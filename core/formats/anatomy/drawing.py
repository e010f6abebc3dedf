"""A graph of any format as an ONNX file without weights, which the viewer draws."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.domain.artifact import TensorSpec
from core.formats.anatomy.onnx_dtypes import NAMES

if TYPE_CHECKING:
    from onnx import TensorProto, ValueInfoProto


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
        [value_info(spec) for spec in inputs],
        [value_info(spec) for spec in outputs],
        [weight(spec) for spec in weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid(domain, 1)], ir_version=10)
    return bytes(model.SerializeToString())


def value_info(spec: TensorSpec) -> "ValueInfoProto":
    """Return an input or output as ONNX describes it."""
    from onnx import helper

    return helper.make_tensor_value_info(spec.name, _kind(spec.dtype), spec.shape)


def weight(spec: TensorSpec) -> "TensorProto":
    """Return a weight whose data is said to lie elsewhere."""
    from onnx import TensorProto

    dims = [dim for dim in spec.shape or () if isinstance(dim, int)]
    tensor = TensorProto(name=spec.name, data_type=_kind(spec.dtype), dims=dims, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="weights")
    return tensor


def _kind(dtype: str) -> int:
    """Return ONNX's number for a dtype; undefined when it has none."""
    return next((number for number, name in NAMES.items() if name == dtype.replace("str", "string")), 0)
