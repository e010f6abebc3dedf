"""Low rank: a matrix becomes the product of two thin ones, cut where its singular values end to matter."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.domain.errors import Refused, Trouble
from core.domain.format import Summary
from core.domain.technique import KEEP, Claim, Family, Keeps, Lesson, Technique
from core.domain.transform import option
from core.onnx import files, weights
from core.onnx.integers import finish
from core.onnx.linear_layers import LinearLayer, layers
from core.onnx.names import FreshNames
from core.onnx.storage import Storage
from core.onnx.typing import GraphProto, NodeProto

LEAST = 256
"""Weights below which two matrices are no gain."""


@dataclass(frozen=True)
class LowRankOptions:
    """How much of each matrix stays."""

    energy: float = option(
        0.9, "Share of the energy (the squared singular values) that each matrix keeps.", low=0.1, high=0.9999
    )
    keep: str = option("", KEEP)


class LowRank(Technique):
    """Splits Conv, Gemm and MatMul by singular value decomposition wherever the two factors hold fewer numbers."""

    title = "Low rank"
    sentence = "Splits a large layer into two thin ones with fewer weights and fewer operations."
    family, claim = Family.LOW_RANK, Claim.SIZE
    keeps = Keeps("fashion_cnn", changed=0.05, decibels=5)
    Options = LowRankOptions

    def applies(self, summary: Summary) -> Trouble | None:
        """Return why there is nothing to split: the model has no Conv, Gemm or MatMul."""
        if {"Conv", "Gemm", "MatMul"} & set(summary.operators or {}):
            return None
        return Trouble(Refused.kind, "The model has no Conv, Gemm or MatMul to split.", "Choose another technique.")

    def apply(self, source: Path, out: Path, options: LowRankOptions, lesson: Lesson) -> None:
        """Split where it gains. Raises Refused where it does nowhere, with the rank that the best layer would need."""
        model = files.load(source)
        storage = Storage(model)
        kept = weights.kept(options.keep, model)
        free = [layer for layer in layers(model, LEAST) if layer.weight.name not in kept]
        found = [(layer, rank(layer.matrix, options.energy)) for layer in free]
        gaining = [(layer, thin) for layer, thin in found if _numbers(layer, thin) < layer.matrix.size]
        if not found and (trouble := weights.unreached(model, LEAST)):
            raise Refused(trouble.message, trouble.next_step)
        if not found:
            raise Refused(
                f"No layer that can be split has {LEAST} or more constant weights.", "Choose another technique."
            )
        if not gaining:
            raise Refused(_nowhere(found, options.energy), "Keep less energy, or choose another technique.")
        firsts = {str(layer.node.output[0]): _split(model.graph, layer, thin, storage.names) for layer, thin in gaining}
        _put_before(model.graph, firsts)
        storage.settle()
        finish(model, source, out)


def rank(matrix: np.ndarray, energy: float) -> int:
    """Return the number of singular values that hold a share of the sum of their squares."""
    squares = np.linalg.svd(matrix, compute_uv=False) ** 2
    return min(int(np.searchsorted(np.cumsum(squares), energy * squares.sum())) + 1, len(squares))


def factors(matrix: np.ndarray, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """Return [outputs, rank] and [rank, inputs], the singular values shared between the two."""
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    root = np.sqrt(values[:kept])
    return left[:, :kept] * root, root[:, None] * right[:kept]


def _numbers(layer: LinearLayer, kept: int) -> int:
    return kept * int(sum(layer.matrix.shape))


def _nowhere(found: list[tuple[LinearLayer, int]], energy: float) -> str:
    layer, kept = min(found, key=lambda one: _numbers(*one) / one[0].matrix.size)
    outputs, inputs = layer.matrix.shape
    return (
        f"No layer gets smaller: to keep {energy:.2%} of its energy, {layer.weight.name[:80]!r} ({outputs} x {inputs}) "
        f"needs rank {kept}, and two matrices are smaller only below rank {outputs * inputs / (outputs + inputs):.0f}."
    )


def _split(graph: GraphProto, layer: LinearLayer, kept: int, names: FreshNames) -> NodeProto:
    """Give the layer the outer factor and return a node with the inner one; name, bias and output of the layer stay."""
    from onnx import numpy_helper

    outer, inner = factors(layer.matrix, kept)
    shape, node = tuple(layer.weight.tensor.dims), layer.node
    thin, middle = names.like(layer.weight.name, "in"), names.like(node.output[0], "in")
    small = inner.reshape(kept, *shape[1:]) if layer.outputs_first else inner.T
    graph.initializer.append(numpy_helper.from_array(small.astype(layer.weight.array.dtype), thin))
    first = _first(node, thin, middle)
    if node.op_type == "Conv":
        outer = outer.reshape(*outer.shape, *(1 for _ in shape[2:]))
        del node.attribute[:]
    node.input[0] = middle
    layer.weight.put((outer if layer.outputs_first else outer.T).astype(layer.weight.array.dtype))
    return first


def _first(node: NodeProto, weight: str, output: str) -> NodeProto:
    """Return a node like the layer's own, with another weight, without its bias and its name."""
    first = type(node)()
    first.CopyFrom(node)
    first.name = ""
    del first.input[:], first.output[:]
    first.input.extend([node.input[0], weight])
    first.output.append(output)
    return first


def _put_before(graph: GraphProto, firsts: dict[str, NodeProto]) -> None:
    """Put each node before the one with the output that it belongs to."""
    nodes = [one for node in graph.node for one in (firsts.get(node.output[0]), node) if one is not None]
    del graph.node[:]
    graph.node.extend(nodes)


TECHNIQUE = LowRank()
