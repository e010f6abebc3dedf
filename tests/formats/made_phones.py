"""Small real models for phones, written byte by byte: none of their libraries is among the base requirements."""

import json
import struct
import zipfile
from pathlib import Path

import flatbuffers
import numpy as np

NCNN_PARAM = """7767517
2 2
Input                    in0                      0 1 in0 0=4
InnerProduct             line                     1 1 in0 out0 0=3 1=0 2=12
"""
WEIGHTS = np.arange(12, dtype=np.float32).reshape(3, 4)
BLOB = "@model_path/weights/weight.bin"


def ncnn(path: Path, param: str = NCNN_PARAM, folder: str = "") -> None:
    """Write a linear layer from 4 numbers to 3; the four bytes before the weights say 32-bit floats."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{folder}model.param", param)
        archive.writestr(f"{folder}model.bin", b"\0\0\0\0" + WEIGHTS.tobytes())


def coreml(path: Path, blob: str = BLOB, place: int = 64, operation: str = "linear", extra: str = "") -> None:
    """Write a package with one constant in the weight file and one linear operation."""
    weights = struct.pack("<II", 1, 2).ljust(64, b"\0")
    weights += struct.pack("<IIQQ", 0xDEADBEEF, 1, 48, 128).ljust(64, b"\0") + WEIGHTS.tobytes().ljust(128, b"\0")
    files = {
        "Manifest.json": json.dumps({"fileFormatVersion": "1.0.0"}).encode(),
        "Data/com.apple.CoreML/model.mlmodel": _core_ml_model(blob, place, operation),
        "Data/com.apple.CoreML/weights/weight.bin": weights,
        **({extra: b"x"} if extra else {}),
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(f"model.mlpackage/{name}", data)


def executorch(path: Path, kernel: str = "aten::relu", bound: int = 8) -> None:
    """Write a program with one kernel on a tensor of at most ``bound`` rows and 4 columns."""
    b = flatbuffers.Builder(0)
    tensors = [_value(b, [bound, 4]) for _ in range(2)]
    name, overload, method = b.CreateString(kernel), b.CreateString("out"), b.CreateString("forward")
    operator = _table(b, {0: name, 1: overload})
    plan = _table(
        b,
        {
            0: method,
            2: _vector(b, tensors),
            3: _numbers(b, [0]),
            4: _numbers(b, [1]),
            6: _vector(b, [operator]),
        },
    )
    b.Finish(_table(b, {1: _vector(b, [plan])}), b"ET12")
    path.write_bytes(bytes(b.Output()))


def _value(b: flatbuffers.Builder, sizes: list[int]) -> int:
    places = _numbers(b, sizes)
    b.StartObject(10)
    b.PrependInt8Slot(0, 6, 0)
    b.PrependUOffsetTRelativeSlot(2, places, 0)
    b.PrependInt8Slot(8, 1, 0)
    tensor = b.EndObject()
    b.StartObject(2)
    b.PrependUint8Slot(0, 5, 0)
    b.PrependUOffsetTRelativeSlot(1, tensor, 0)
    return int(b.EndObject())


def _table(b: flatbuffers.Builder, fields: dict[int, int]) -> int:
    b.StartObject(10)
    for number, offset in fields.items():
        b.PrependUOffsetTRelativeSlot(number, offset, 0)
    return int(b.EndObject())


def _vector(b: flatbuffers.Builder, offsets: list[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _numbers(b: flatbuffers.Builder, numbers: list[int]) -> int:
    b.StartVector(4, len(numbers), 4)
    for number in reversed(numbers):
        b.PrependInt32(number)
    return int(b.EndVector())


def _core_ml_model(blob: str, place: int, operation: str) -> bytes:
    def feature(name: str, columns: int) -> bytes:
        ranges = _m(1, _n(1, 1) + _n(2, 8)) + _m(1, _n(1, columns) + _n(2, columns))
        array = _m(1, _varint(1) + _varint(columns)) + _n(2, 65568) + _m(31, ranges)
        return _m(1, name.encode()) + _m(3, _m(5, array))

    def entry(key: str, value: bytes) -> bytes:
        return _m(1, key.encode()) + _m(2, value)

    def port(name: str, dims: tuple[int, ...]) -> bytes:
        sizes = b"".join(_m(3, _m(1, _n(1, dim))) for dim in dims)
        return _m(1, name.encode()) + _m(2, _m(1, _n(1, 11) + _n(2, len(dims)) + sizes))

    kind = _m(1, _n(1, 11) + _n(2, 2) + _m(3, _m(1, _n(1, 3))) + _m(3, _m(1, _n(1, 4))))
    value = _m(2, kind) + _m(5, _m(1, blob.encode()) + _n(2, place))
    const = _m(1, b"const") + _m(3, port("w", (3, 4))) + _m(5, entry("val", value))
    takes = [_m(2, entry(key, _m(1, _m(1, name)))) for key, name in (("x", b"x"), ("weight", b"w"))]
    line = _m(1, operation.encode()) + b"".join(takes) + _m(3, port("y", (1, 3)))
    block = _m(2, b"y") + _m(3, const) + _m(3, line)
    function = _m(2, b"CoreML7") + _m(3, entry("CoreML7", block))
    program = _n(1, 1) + _m(2, entry("main", function))
    return _n(1, 7) + _m(2, _m(1, feature("x", 4)) + _m(10, feature("y", 3))) + _m(502, program)


def _m(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _n(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))
