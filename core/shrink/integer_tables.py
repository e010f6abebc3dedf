"""Lookup tables, such as embeddings, stored as int8 rows with a scale each; only the rows that are looked up become floats."""

from collections import Counter
from collections.abc import Set as AbstractSet

import numpy as np

from core.onnx import weights
from core.onnx.names import FreshNames
from core.onnx.typing import GraphProto, ModelProto, NodeProto
from core.onnx.weights import Weight
from core.shrink.scaled_integers import along, fitted

BITS = 8
"""Bits of a row while the model runs; one of fewer bits is packed in the file, and widened when it is loaded."""
LEAST = 1024
"""Values from which a table is worth the nodes around it."""


class Tables:
    """The rule of one pass over a model: a Gather of rows of a constant becomes one of integers, times one of scales."""

    def __init__(
        self, model: ModelProto, fresh: FreshNames, bits: int = 8, kept: AbstractSet[str] = frozenset()
    ) -> None:
        tables = (node.input[0] for node in weights.nodes(model.graph) if is_lookup(node))
        looked, read = Counter(tables), weights.uses(model)
        self._names = {name for name, count in looked.items() if count == read[name] and name not in kept}
        """Read as tables and as nothing else, and not to be kept as they are."""
        self._fresh, self._bits = fresh, bits
        self.packable: set[str] = set()
        """Constants of floats that stand for integers of few bits."""
        self._made: dict[tuple[int, str], tuple[str, str]] = {}
        self._graphs: list[GraphProto] = []
        """Kept alive, because their identities are keys."""

    def __call__(self, graph: GraphProto, node: NodeProto, seen: dict[str, Weight]) -> list[NodeProto] | None:
        """Return the nodes that look up in integers, or None where a node looks nothing up."""
        weight = seen.get(node.input[0]) if is_lookup(node) and node.input[0] in self._names else None
        if weight is None or not large(weight, LEAST):
            return None
        self._graphs.append(weight.graph)
        return self._nodes(node, *self._integers(weight))

    def _integers(self, weight: Weight) -> tuple[str, str]:
        key = (id(weight.graph), weight.name)
        if key not in self._made:
            pair = self._fresh.short(), self._fresh.short()
            scaled = along(weight.array, fitted(weight.array, 0, self._bits), 0, self._bits)
            narrow = self._bits < BITS
            weight.beside(pair[0], scaled.codes.astype(np.float32 if narrow else np.int8))
            weight.beside(pair[1], scaled.spread)
            self.packable.update(pair if narrow else ())
            self._made[key] = pair
        return self._made[key]

    def _nodes(self, node: NodeProto, rows: str, scales: str) -> list[NodeProto]:
        from onnx import TensorProto, helper

        row, floats, scale, whole = (self._fresh.short() for _ in range(4))
        widened = [helper.make_node("Cast", [rows], [whole], to=TensorProto.INT8)] if self._bits < BITS else []
        return [
            *widened,
            helper.make_node("Gather", [whole if widened else rows, node.input[1]], [row], axis=0),
            helper.make_node("Cast", [row], [floats], to=TensorProto.FLOAT),
            helper.make_node("Gather", [scales, node.input[1]], [scale], axis=0),
            helper.make_node("Mul", [floats, scale], [node.output[0]]),
        ]


def is_lookup(node: NodeProto) -> bool:
    """Say whether a node takes rows of its first input."""
    axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
    return node.domain in ("", "ai.onnx") and node.op_type == "Gather" and axis == 0


def large(weight: Weight, least: int) -> bool:
    """Say whether a constant is a finite float32 matrix of at least so many values."""
    import onnx

    dims = weight.tensor.dims
    fits = weight.tensor.data_type == onnx.TensorProto.FLOAT and len(dims) == 2 and int(np.prod(dims)) >= least
    return fits and weight.finite
