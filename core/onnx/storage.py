"""Ways to store a weight in fewer bytes as plain ONNX nodes, which stock engines fold to the same bits while they load.

A tensor of few different values becomes a codebook and indices; a tensor of many zeros becomes the steps between its
other entries (relative indices: Han 2016, arXiv 1510.00149). Indices and steps are digits to a base, several to a
word, and come apart by Div and Mod on int32: BitShift on uint8 is silently wrong in OpenVINO 2026.4.1.
"""

from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field

import numpy as np

from core.domain.errors import Refused
from core.onnx import files, unfolding
from core.onnx import weights as onnx_weights
from core.onnx.bit_packing import (
    LARGEST,
    bit_patterns,
    digit_bits,
    distinct,
    halved_exactly,
    packed_words,
    packing,
    step_base,
    steps_between,
)
from core.onnx.names import FreshNames
from core.onnx.typing import IntArray, ModelProto, NodeProto, TensorProto
from core.onnx.weights import Weight, tensor

LEAST = 64
"""Values below which no encoding is smaller than its own nodes."""

OPSET = 11
"""The first operator set with CumSum and ScatterElements."""
INT32 = 6
"""ONNX's number of the type."""

Key = tuple[str, tuple[int, ...], bytes]
"""Dtype, shape and bytes of a constant."""


@dataclass
class Draft:
    """A weight as nodes and tensors that are not yet in the model."""

    kind: str
    names: FreshNames
    nodes: list[NodeProto] = field(default_factory=list)
    tensors: list[TensorProto] = field(default_factory=list)
    shared: dict[Key, TensorProto] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """The bytes that the draft adds to the file."""
        return _size((*self.nodes, *self.tensors, *self.shared.values()))


class Storage:
    """Puts arrays into the weights of one model, each in the encoding that is smallest.

    Weights that came in a compact form are plain tensors as soon as there is a storage of the model, until ``settle``.
    Raises Refused when the model's operator set is older than 11.
    """

    def __init__(self, model: ModelProto) -> None:
        if files.opset(model) < OPSET:
            raise Refused(
                f"The model has opset {files.opset(model)}; compact weights need opset {OPSET}.",
                "Convert it to ONNX with opset 13 first.",
            )
        # A new weight may not fit the shapes that are listed, and before IR 4 none could be replaced.
        onnx_weights.tidy(model)
        model.ir_version = model.ir_version if model.ir_version >= 4 else max(4, files.lowest_ir(model))
        self._loose = unfolding.unfold(model)
        self._model = model
        self._graph = model.graph
        self._pool: dict[Key, str] = {}
        self.names = FreshNames.of(model)

    def put(self, weight: Weight, array: np.ndarray) -> str:
        """Store an array of the weight's own dtype and shape, bit for bit, and return the kind of encoding."""
        self._loose.discard(weight.name)
        best = self._smallest(weight, array)
        if best is None:
            weight.put(array)
            return "dense"
        self.names = best.names
        self._pool.update({key: tensor.name for key, tensor in best.shared.items()})
        self._graph.initializer.extend(best.shared.values())
        weight.make(best.nodes, best.tensors)
        return best.kind

    def settle(self) -> None:
        """Store what came in a compact form and was not put anew."""
        for weight in onnx_weights.weights(self._model, LEAST):
            if weight.name in self._loose:
                self.put(weight, weight.array)

    def size(self, weight: Weight, array: np.ndarray) -> int:
        """Return the bytes that the array would take in the file."""
        best = self._smallest(weight, array)
        return best.bytes if best else _dense_size(weight, array)

    def _smallest(self, weight: Weight, array: np.ndarray) -> Draft | None:
        if array.size < LEAST:
            return None
        drafts = [draft for draft in self._drafts(weight.name, np.ascontiguousarray(array)) if draft]
        best = min(drafts, key=lambda draft: draft.bytes, default=None)
        return best if best and best.bytes < _dense_size(weight, array) else None

    def _drafts(self, name: str, array: np.ndarray) -> Iterator[Draft | None]:
        yield self._half(name, array)
        yield self._codebook(name, array)
        yield self._sparse(name, array)

    def _half(self, name: str, array: np.ndarray) -> Draft | None:
        if halved_exactly(array) is None:
            return None
        draft = Draft("half", copy(self.names))
        self._values(draft, array, name)
        return draft

    def _codebook(self, name: str, array: np.ndarray) -> Draft | None:
        values, places = distinct(array)
        if len(values) > LARGEST:
            return None
        draft = Draft("codebook", copy(self.names))
        self._looked_up(draft, values, places.reshape(array.shape), name)
        return draft

    def _sparse(self, name: str, array: np.ndarray) -> Draft | None:
        """Steps between the entries whose bits are not all zero; entries of zero stand in for steps that are too long."""
        entries = np.flatnonzero(bit_patterns(array))
        if not 0 < len(entries) <= 0.75 * array.size:
            return None
        values, base = array.reshape(-1)[entries], step_base(np.diff(entries, prepend=-1) - 1, array, entries)
        steps, filled = steps_between(np.diff(entries, prepend=-1) - 1, values, base)
        draft = Draft("sparse", copy(self.names))
        self._scattered(draft, self._digits(draft, steps, base), filled, array.shape, name)
        return draft

    def _scattered(self, draft: Draft, steps: str, filled: np.ndarray, shape: tuple[int, ...], name: str) -> None:
        """Add nodes that sum the steps up to positions and write the values there, into zeros."""
        one = self._shared(draft, np.array(1, np.int32))
        summed = self._node(
            draft, "CumSum", self._node(draft, "Add", steps, one), self._shared(draft, np.array(0, np.int32))
        )
        places = self._node(draft, "Sub", summed, one)
        few_values, codes = distinct(filled)
        few = len(few_values) <= LARGEST and digit_bits(len(few_values)) < 8 * filled.itemsize
        values = self._looked_up(draft, few_values, codes) if few else self._values(draft, filled)
        zeros = self._zeros(draft, int(np.prod(shape)), filled.dtype)
        if len(shape) == 1:
            self._node(draft, "ScatterElements", zeros, places, values, output=name)
            return
        flat = self._node(draft, "ScatterElements", zeros, places, values)
        self._node(draft, "Reshape", flat, self._shared(draft, np.array(shape, np.int64)), output=name)

    def _zeros(self, draft: Draft, n: int, dtype: np.dtype) -> str:
        from onnx import numpy_helper

        size = self._shared(draft, np.array([n], np.int64))
        if dtype == np.float32:
            return self._node(draft, "ConstantOfShape", size)
        return self._node(draft, "ConstantOfShape", size, value=numpy_helper.from_array(np.zeros(1, dtype)))

    def _looked_up(self, draft: Draft, values: np.ndarray, places: IntArray, output: str = "") -> str:
        codebook = self._values(draft, values)
        return self._node(draft, "Gather", codebook, self._digits(draft, places, len(values)), output=output)

    def _values(self, draft: Draft, array: np.ndarray, output: str = "") -> str:
        """Add floats, as float16 and a Cast where that keeps every bit."""
        from onnx import helper

        halved = halved_exactly(array)
        if halved is None or (not output and halved.nbytes < 40):
            return self._tensor(draft, array)
        to = helper.np_dtype_to_tensor_dtype(array.dtype)
        return self._node(draft, "Cast", self._tensor(draft, halved), output=output, to=to)

    def _digits(self, draft: Draft, digits: IntArray, base: int) -> str:
        """Add digits packed in words and the nodes that take them apart; int32 of the digits' shape."""
        dtype, per = packing(base)
        if per == 1:
            return self._node(draft, "Cast", self._tensor(draft, digits.astype(dtype)), to=INT32)
        radix = max(base, 2)
        words = self._tensor(draft, packed_words(digits.reshape(-1), radix, per, dtype))
        if dtype is np.uint8:
            words = self._node(draft, "Cast", words, to=INT32)
        weights = np.array([radix**place for place in range(per)], np.int32)
        shifted = self._node(draft, "Div", words, self._shared(draft, weights))
        apart = self._node(draft, "Mod", shifted, self._shared(draft, np.array(radix, np.int32)))
        if digits.size % per:
            apart = self._cut(draft, apart, digits.size)
            if digits.ndim == 1:
                return apart
        shape = digits.shape if digits.ndim > 1 else (-1,)
        return self._node(draft, "Reshape", apart, self._shared(draft, np.array(shape, np.int64)))

    def _cut(self, draft: Draft, digits: str, n: int) -> str:
        flat = self._node(draft, "Reshape", digits, self._shared(draft, np.array([-1], np.int64)))
        start, stop = (self._shared(draft, np.array([place], np.int64)) for place in (0, n))
        return self._node(draft, "Slice", flat, start, stop)

    def _node(
        self,
        draft: Draft,
        op: str,
        *inputs: str,
        output: str = "",
        to: int | None = None,
        value: TensorProto | None = None,
    ) -> str:
        from onnx import helper

        draft.nodes.append(helper.make_node(op, inputs, [output or draft.names.short()], to=to, value=value))
        return str(draft.nodes[-1].output[0])

    def _tensor(self, draft: Draft, array: np.ndarray) -> str:
        draft.tensors.append(tensor(array, draft.names.short()))
        return str(draft.tensors[-1].name)

    def _shared(self, draft: Draft, array: np.ndarray) -> str:
        """Return the name of a small constant of the main graph that all weights share."""
        from onnx import numpy_helper

        key = (array.dtype.str, array.shape, array.tobytes())
        if key in self._pool:
            return self._pool[key]
        if key not in draft.shared:
            draft.shared[key] = numpy_helper.from_array(array, draft.names.short())
        return str(draft.shared[key].name)


def _dense_size(weight: Weight, array: np.ndarray) -> int:
    around = weight.node.ByteSize() - weight.tensor.ByteSize() if weight.node is not None else 0
    return _size((tensor(array, weight.name),)) + around


def _size(parts: Iterable[NodeProto | TensorProto]) -> int:
    """Return the bytes of parts of a graph with their tags and lengths."""
    sizes = [part.ByteSize() for part in parts]
    return sum(size + 1 + max(1, -(-size.bit_length() // 7)) for size in sizes)
