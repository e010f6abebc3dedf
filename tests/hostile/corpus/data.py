"""Data sets that lie, explode or carry code; each is given to a model of four numbers."""

import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np

from tests.hostile.corpus.attack import Attack
from tests.proof.test_datasets import lying

ROWS = np.zeros((8, 4), np.float32)


def npz(**members: bytes) -> bytes:
    """Return an archive of such members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return out.getvalue()


def header(text: str) -> bytes:
    """Return an array with a header of this text."""
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def objects() -> bytes:
    """Return an array of pickled objects."""
    out = io.BytesIO()
    np.save(out, np.array([{"a": 1}], object))
    return out.getvalue()


def picture(width: int, height: int, data: bytes = b"") -> bytes:
    """Return a PNG that claims such a size."""
    parts = (
        (b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(data)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def folders(**members: bytes) -> bytes:
    """Return class folders with such pictures."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/") + ".png", content)
    return out.getvalue()


def parquet(spoil: Callable[[bytes], bytes]) -> bytes:
    """Return a parquet file with its bytes changed."""
    import pandas as pd

    return spoil(bytes(pd.DataFrame(ROWS, columns=list("abcd")).to_parquet()))


def rows(**values: object) -> bytes:
    """Return one line of JSON."""
    return json.dumps({"a": 0, "b": 0, "c": 0, "d": 0, **values}).encode()


MADE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "pickled objects": ("d.npz", lambda: npz(x=objects())),
    "a pickle for an array": ("d.npz", lambda: npz(x=pickle.dumps(1))),
    "a shape of terabytes": ("d.npz", lambda: npz(x=lying("(1099511627776,)", b""))),
    "a shape that overflows": ("d.npz", lambda: npz(x=lying("(4294967296, 4294967296, 4)", b""))),
    "a negative shape": ("d.npz", lambda: npz(x=lying("(-1, 4)", bytes(16)))),
    "a bomb": ("d.npz", lambda: npz(x=lying("(5242880, 4)", bytes(80 << 20)))),
    "code in a header": ("d.npz", lambda: npz(x=header("__import__('os').system('id')"))),
    "brackets in brackets": ("d.npz", lambda: npz(x=header("(" * 5000))),
    "a header that is cut": ("d.npz", lambda: npz(x=header("{'descr': '<f4', 'shape': (4, 2"))),
    "no arrays": ("d.npz", lambda: npz()),
    "a table of one cell of 20 MB": ("d.csv", lambda: b"a,b,c,d\n1,2,3," + b"x" * (20 << 20)),
    "a table of 200,000 columns": ("d.csv", lambda: b",".join(b"c%d" % n for n in range(200_000)) + b"\n" + b"0," * 200_000),
    "a table of zeros": ("d.csv", lambda: bytes(4096)),
    "a quote that never ends": ("d.csv", lambda: b'a,b,c,d\n1,2,3,"4\n' * 50),
    "formulas": ("d.csv", lambda: b"a,b,c,d\n" + b"=cmd|'/C calc'!A0,1,2,3\n" * 8),
    "lists in lists in a line": ("d.jsonl", lambda: b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "half a letter for a value": ("d.jsonl", lambda: rows(a="\ud800") + b"\n" + rows()),
    "a number of 5,000 digits in a line": ("d.jsonl", lambda: b'{"a": ' + b"9" * 5000 + b', "b": 0, "c": 0, "d": 0}'),
    "a table for a number": ("d.jsonl", lambda: rows(a={"b": [1]})),
    "a parquet footer of 4 GB": ("d.parquet", lambda: parquet(lambda data: data[:-8] + b"\xff\xff\xff\xff" + data[-4:])),
    "a parquet footer of zeros": ("d.parquet", lambda: parquet(lambda data: data[:-200] + bytes(192) + data[-8:])),
    "a parquet file of two marks": ("d.parquet", lambda: b"PAR1" + bytes(4) + b"PAR1"),
    "pictures of 60,000 by 60,000": ("d.zip", lambda: folders(a__1=picture(60_000, 60_000), b__2=picture(60_000, 60_000))),
    "pictures without a size": ("d.zip", lambda: folders(a__1=picture(0, 0), b__2=picture(0, 0))),
    "pictures that are none": ("d.zip", lambda: folders(a__1=b"\x89PNG\r\n\x1a\n", b__2=b"GIF89a")),
    "a picture above the folder": ("d.zip", lambda: folders(**{"..__..__x": picture(1, 1, b"\0\0"), "b__2": picture(1, 1, b"\0\0")})),
}  # fmt: skip

ATTACKS = tuple(Attack("data", name, file, lambda honest, make=make: make()) for name, (file, make) in MADE.items())
