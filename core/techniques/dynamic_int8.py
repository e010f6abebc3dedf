"""Int8 weights and int8 arithmetic, with the range of the activations found anew on each call.

Each product with a constant matrix becomes ``DynamicQuantizeLinear`` and ``MatMulInteger`` with one scale a column, and
each lookup in a table of floats one of int8 rows with a scale each. Convolutions stay as they are: their integer kernel
was measured to be five to ten times slower. The nodes are written here, because ``quantize_dynamic`` of
ONNX Runtime raises on weights in ``Constant`` nodes, leaves branches and loops alone, and has one scale for a table.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.domain.errors import Refused, Trouble
from core.domain.format import Summary
from core.domain.technique import KEEP, Claim, Family, Keeps, Lesson, Technique
from core.domain.transform import option
from core.onnx import files, saturation, unread, weights
from core.onnx.integers import already, finish, refuse_quantized, symmetric, unsigned
from core.onnx.names import FreshNames
from core.onnx.saturation import HostTruth, Pairing
from core.onnx.storage import Storage
from core.onnx.typing import GraphProto, ModelProto, NodeProto
from core.onnx.weights import Weight
from core.shrink.integer_tables import Tables, large

OPSET = 11
LEAST = 1024
"""Values from which a matrix is worth the five nodes around it."""
PREFERRED = (Pairing.U8S8, Pairing.U8U8, Pairing.U8S8_REDUCED)
"""Eight bits come before speed, because a transformer feels the eighth; ``DynamicQuantizeLinear`` gives uint8 alone."""


@dataclass(frozen=True)
class DynamicOptions:
    """Where the integers must be exact, and whether tables are stored as integers."""

    exact_on: str = option(
        "this processor",
        "Choose integer types that this processor computes exactly, or types that every processor computes exactly.",
        choices=("this processor", "every processor"),
    )
    tables: bool = option(True, "Also store lookup tables (embeddings) as rows of int8.")
    keep: str = option("", KEEP)


class DynamicInt8(Technique):
    """Replaces MatMul, Gemm and Gather on constants by their integer kind, in branches and loops too."""

    title = "Dynamic int8"
    sentence = "Multiplies in integers, with ranges found while the model runs: for transformers and linear layers; no samples needed."
    family, claim = Family.QUANTIZATION, Claim.SIZE
    keeps = Keeps("spam_transformer", changed=0.02, decibels=25)
    Options = DynamicOptions

    def applies(self, summary: Summary) -> Trouble | None:
        """Return why not: quantized already, or nothing that multiplies by a matrix or looks up in a table."""
        operators = summary.operators or {}
        if trouble := already(operators):
            return trouble
        if {"MatMul", "Gemm", "Gather"} & set(operators):
            return None
        return _nothing(Counter(operators))

    def apply(self, source: Path, out: Path, options: DynamicOptions, lesson: Lesson) -> None:
        """Quantize what can be. Raises Refused where that is nothing, naming what the weights belong to."""
        model = files.load(source)
        refuse_quantized(model)
        if files.opset(model) < OPSET:
            step = "Convert it to a newer opset first (ONNX to ONNX)."
            raise Refused(f"Opset {files.opset(model)} has no integer products; opset {OPSET} introduced them.", step)
        storage = Storage(model)
        kept = weights.kept(options.keep, model)
        rule = _Integers(model, pairing(saturation.measure(), options.exact_on), options.tables, kept)
        if not weights.rewrite(model, rule):
            readers = {id(node): node.op_type for one in weights.weights(model, LEAST) for node, _ in one.readers}
            nothing, inner = _nothing(Counter(readers.values())), weights.unreached(model, LEAST)
            raise Refused(nothing.message, inner.next_step if inner else nothing.next_step)
        unread.drop_constants(model)
        storage.settle()
        finish(model, source, out)


def pairing(truth: HostTruth, exact_on: str) -> Pairing:
    """Return the types to multiply in. Raises Refused where no kernel of this processor is exact."""
    if exact_on == "every processor":
        return Pairing.U8U8
    exact = truth.pairings(("MatMulInteger",))
    found = next((one for one in PREFERRED if one in exact), None)
    if found is None:
        raise Refused(f"No integer product is exact on this processor ({truth.cpu}).", "Store float16 weights instead.")
    return found


def _nothing(operators: Counter[str]) -> Trouble:
    named = ", ".join(f"{name} ({count})" for name, count in operators.most_common(4)) or "no operator"
    message = f"There is nothing to quantize: no MatMul, Gemm or Gather reads {LEAST} or more constant float32 values; the file holds {named}."
    return Trouble(Refused.kind, message, "Choose static int8 for convolutions, or float16 for weights of any kind.")


class _Integers:
    """The rule of one pass over a model; integers of a weight and of an activation are made once and shared."""

    def __init__(self, model: ModelProto, pairing: Pairing, tables: bool, kept: set[str]) -> None:
        self._pairing, self._fresh, self._kept = pairing, FreshNames.of(model), kept
        self._tables = Tables(model, self._fresh, kept=kept) if tables else None
        self._graphs: list[GraphProto] = []
        """Kept alive, because their identities are keys."""
        self._activations: dict[tuple[int, str], tuple[str, str, str]] = {}
        self._matrices: dict[tuple[int, str, bool, float], tuple[str, str, str]] = {}

    def __call__(self, graph: GraphProto, node: NodeProto, seen: dict[str, Weight]) -> list[NodeProto] | None:
        """Return the nodes of integers instead of a node, or None where there are none."""
        weight = seen.get(node.input[1]) if _is_product(node) else None
        if weight is None or weight.name in self._kept or not large(weight, LEAST):
            return self._tables(graph, node, seen) if self._tables else None
        self._graphs += [graph, weight.graph]
        return self._product(graph, node, weight)

    def _product(self, graph: GraphProto, node: NodeProto, weight: Weight) -> list[NodeProto]:
        from onnx import TensorProto, helper

        nodes, (x, scale, zero) = self._quantized_input(graph, node.input[0])
        held = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        w, w_scale, w_zero = self._matrix(weight, bool(held.get("transB", 0)), float(held.get("alpha", 1.0)))
        whole, floats, both = (self._fresh.short() for _ in range(3))
        biased = node.op_type == "Gemm" and len(node.input) > 2 and bool(node.input[2])
        product = self._fresh.short() if biased else node.output[0]
        nodes += [
            helper.make_node("MatMulInteger", [x, w, zero, w_zero], [whole]),
            helper.make_node("Cast", [whole], [floats], to=TensorProto.FLOAT),
            helper.make_node("Mul", [scale, w_scale], [both]),
            helper.make_node("Mul", [floats, both], [product]),
        ]
        return nodes + ([helper.make_node("Add", [product, node.input[2]], [node.output[0]])] if biased else [])

    def _quantized_input(self, graph: GraphProto, name: str) -> tuple[list[NodeProto], tuple[str, str, str]]:
        from onnx import helper

        key = (id(graph), name)
        if key in self._activations:
            return [], self._activations[key]
        found = (self._fresh.short(), self._fresh.short(), self._fresh.short())
        self._activations[key] = found
        return [helper.make_node("DynamicQuantizeLinear", [name], list(found))], found

    def _matrix(self, weight: Weight, transposed: bool, alpha: float) -> tuple[str, str, str]:
        key = (id(weight.graph), weight.name, transposed, alpha)
        if key not in self._matrices:
            array = weight.array.T if transposed else weight.array
            values, scales = symmetric(array, 1, self._pairing.top)
            zeros = np.zeros(scales.shape, np.int8)
            if self._pairing.weights == "uint8":
                values, zeros = unsigned(values), unsigned(zeros)
            names = self._fresh.short(), self._fresh.short(), self._fresh.short()
            for name, constant in zip(names, (values, scales * np.float32(alpha), zeros), strict=True):
                weight.beside(name, constant)
            self._matrices[key] = names
        return self._matrices[key]


def _is_product(node: NodeProto) -> bool:
    """Say whether a node multiplies by its second input and has an integer kind: Gemm with a plain first input and bias."""
    from onnx import helper

    held = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    plain = held.get("transA", 0) == 0 and held.get("beta", 1.0) == 1.0
    return node.domain in ("", "ai.onnx") and (node.op_type == "MatMul" or (node.op_type == "Gemm" and plain))


TECHNIQUE = DynamicInt8()
