"""A Core ML model walked as bytes: its signature, the operations of its program, and where each weight lies.

Field numbers are those of Model.proto, FeatureTypes.proto and MIL.proto in apple/coremltools; the 64 bytes before each
weight are those of its MILBlob storage (a mark, a type, a size and a place).
"""

import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.domain.artifact import Dim, Signature, TensorSpec
from core.domain.errors import Refused
from core.formats.anatomy import onnx_wire
from core.formats.anatomy.elements import bits
from core.formats.anatomy.onnx_wire import LENGTH, VARINT

MAX_BYTES = 64 << 20
MAX_OPERATIONS = 200_000
MAX_DEPTH = 32
VERSIONS = range(6, 11)
"""Specification versions that have programs: iOS 15 to iOS 26."""
DESCRIPTION, ML_PROGRAM, MODEL_KINDS = 2, 502, range(200, 3001)
TYPES = {
    1: "bool", 2: "str", 10: "float16", 11: "float32", 12: "float64", 13: "bfloat16", 21: "int8", 22: "int16",
    23: "int32", 24: "int64", 31: "uint8", 32: "uint16", 33: "uint32", 34: "uint64",
}  # fmt: skip
ARRAYS = {65568: "float32", 65600: "float64", 131104: "int32", 131080: "int8", 65552: "float16"}
BLOB = "@model_path/weights/weight.bin"
MARK = 0xDEADBEEF
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,80}")
AGAIN = "Convert the model to Core ML again."


@dataclass(frozen=True)
class Weight:
    """One constant in the weight file: its name, dtype, shape, and the place of its 64 bytes of description."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    place: int


@dataclass(frozen=True)
class Operation:
    """One step of the program: its type, and the names of what it takes and gives."""

    type: str
    takes: tuple[str, ...]
    gives: tuple[str, ...]


@dataclass
class MlProgram:
    """What a Core ML model says: specification version, signature, operations in order, and weights."""

    version: int = 0
    signature: Signature = field(default_factory=Signature)
    operations: list[Operation] = field(default_factory=list)
    weights: list[Weight] = field(default_factory=list)


class _Message:
    """The fields of one message, by number."""

    def __init__(self, data: bytes) -> None:
        self._fields: dict[int, list[tuple[int, int, int]]] = {}
        self._data = data
        for item in onnx_wire.fields(data, 0, len(data)):
            self._fields.setdefault(item.number, []).append((item.wire, item.value, item.end))

    def __contains__(self, number: int) -> bool:
        return number in self._fields

    @property
    def numbers(self) -> set[int]:
        return set(self._fields)

    def all(self, number: int) -> "list[_Message]":
        return [_Message(self._data[a:b]) for wire, a, b in self._fields.get(number, []) if wire == LENGTH]

    def one(self, number: int) -> "_Message":
        return next(iter(self.all(number)), _Message(b""))

    def text(self, number: int) -> str:
        return next((self._data[a:b].decode() for wire, a, b in self._fields.get(number, []) if wire == LENGTH), "")

    def number(self, number: int) -> int:
        return next(
            (onnx_wire.varint(self._data, a, b)[0] for w, a, b in self._fields.get(number, []) if w == VARINT), 0
        )

    def numbers_of(self, number: int) -> list[int]:
        """Return a repeated number, packed or not."""
        found = []
        for wire, at, end in self._fields.get(number, []):
            while wire in (LENGTH, VARINT) and at < end:
                value, at = onnx_wire.varint(self._data, at, end)
                found.append(value)
        return found


def read(data: bytes) -> MlProgram:
    """Walk model.mlmodel. Raises Refused when it is broken, or holds another kind of model than a program."""
    try:
        top = _Message(data)
        kinds = {number for number in top.numbers if number in MODEL_KINDS}
        if kinds != {ML_PROGRAM}:
            raise Refused(
                "This Core ML model is not an ML program.",
                "Convert the original model to an ML program (iOS 15 or later).",
            )
        model = MlProgram(version=top.number(1), signature=_signature(top.one(DESCRIPTION)))
        for entry in top.one(ML_PROGRAM).all(2):
            for body in entry.one(2).all(3):
                _walk(body.one(2), model, 0)
    except (UnicodeDecodeError, RecursionError):
        raise Refused("The Core ML model is damaged.", "Download or export the file again.") from None
    return model


def check(model: MlProgram, weights: bytes) -> None:
    """Check version, operations and that every weight lies where its description says. Raises Refused with the first fault."""
    if model.version not in VERSIONS:
        raise Refused(
            f"The specification version is {model.version}; {VERSIONS[0]} to {VERSIONS[-1]} are supported.", AGAIN
        )
    if not model.operations or not model.signature.inputs or not model.signature.outputs:
        raise Refused("The program is empty, or has no input or output.", AGAIN)
    if strange := sorted({o.type for o in model.operations if not NAME.fullmatch(o.type) or "custom" in o.type}):
        raise Refused(
            f"The program calls code outside the file: {', '.join(strange)[:120]}.", "Export it without custom layers."
        )
    for weight in model.weights:
        _check_weight(weight, weights)


def _check_weight(weight: Weight, weights: bytes) -> None:
    if not 0 < weight.place <= len(weights) - 64 or weight.place % 64:
        raise Refused(f"The weight {weight.name[:80]!r} is outside weight.bin.", AGAIN)
    mark, _, size, place = struct.unpack_from("<IIQQ", weights, weight.place)
    needed = math.prod(weight.shape) * (bits(weight.dtype) or 32) // 8
    if mark != MARK or size != needed or place + size > len(weights):
        raise Refused(f"The weight {weight.name[:80]!r} does not match the data in weight.bin at its offset.", AGAIN)


def _signature(description: _Message) -> Signature:
    sides = [tuple(_feature(one) for one in description.all(number)) for number in (1, 10)]
    return Signature(*sides)


def _feature(feature: _Message) -> TensorSpec:
    kind = feature.one(3)
    array = kind.one(5)
    if 5 not in kind:
        return TensorSpec(feature.text(1), "other", None)
    ranges = [(size.number(1), size.number(2)) for size in array.one(31).all(1)]
    shape = [dim - (1 << 64) if dim >> 63 else dim for dim in array.numbers_of(1)]
    return TensorSpec(feature.text(1), ARRAYS.get(array.number(2), "other"), _dims(shape, ranges))


def _dims(shape: list[int], ranges: list[tuple[int, int]]) -> tuple[Dim, ...] | None:
    if not shape:
        return None
    if len(ranges) != len(shape):
        return tuple(shape)
    return tuple(low if low == high else ("batch" if place == 0 else None) for place, (low, high) in enumerate(ranges))


def _walk(block: _Message, model: MlProgram, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Refused("The program is nested more deeply than any model.", AGAIN)
    for operation in block.all(3):
        model.operations.append(_operation(operation))
        if len(model.operations) > MAX_OPERATIONS:
            raise Refused(f"The program has more than {MAX_OPERATIONS:,} operations.", AGAIN)
        model.weights.extend(_weights(operation))
        for inner in operation.all(4):
            _walk(inner, model, depth + 1)


def _operation(operation: _Message) -> Operation:
    takes = [bind.text(1) for entry in operation.all(2) for bind in entry.one(2).all(1) if 1 in bind]
    return Operation(operation.text(1), tuple(takes), tuple(out.text(1) for out in operation.all(3)))


def _weights(operation: _Message) -> Iterator[Weight]:
    """Yield what an operation keeps in the weight file. Raises Refused for a place in any other file."""
    for entry in operation.all(5):
        value = entry.one(2)
        if 5 not in value:
            continue
        if value.one(5).text(1) != BLOB:
            raise Refused(
                f"A weight is stored in {value.one(5).text(1)[:80]!r}, which is not a file of the package.", AGAIN
            )
        tensor = value.one(2).one(1)
        shape = tuple(dim.one(1).number(1) for dim in tensor.all(3))
        name = next((out.text(1) for out in operation.all(3)), "")
        yield Weight(name, TYPES.get(tensor.number(1), "other"), shape, value.one(5).number(2))
