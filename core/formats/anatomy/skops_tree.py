"""The schema of a skops file: every name on a list, every array inside its bounds, and the tree that it describes."""

import ast
import json
import math
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core.border import archives
from core.border.archives import Archive
from core.border.pickles import Global
from core.border.pickles.arrays import EDGE, Bytes
from core.border.pickles.values import itemsize
from core.domain.errors import Refused
from core.formats.anatomy.estimator import StoredArray, StoredObject
from core.formats.anatomy.findings import JsonObject

MAX_DEPTH = 200
MAX_NODES = 2_000_000
MAX_NPY_HEADER = 10_000
AGAIN = "Save the model again with skops.io.dump."
WITHOUT = "Fit the model without custom functions; for histogram trees on categories, put an OrdinalEncoder before them. Then save it again."

LOADERS = {
    *(
        "DictNode",
        "DefaultDictNode",
        "ListNode",
        "SetNode",
        "TupleNode",
        "BytesNode",
        "BytearrayNode",
        "SliceNode",
        "TypeNode",
    ),
    *("FunctionNode", "ObjectNode", "JsonNode", "NdArrayNode", "MaskedArrayNode", "DTypeNode", "RandomStateNode"),
    *("RandomGeneratorNode", "SparseMatrixNode", "TreeNode", "LossNode", "CachedNode"),
}
"""Kinds of nodes that only hold data; methods, partials, operators and constructors are left out."""


def check(archive: Archive, schema: object, trusts: Callable[[Global], bool]) -> None:
    """Check each node of the schema. Raises Refused for a name or a kind off the lists, or an array that lies about its size."""
    off: dict[str, None] = {}
    for node in _nodes(schema):
        loader, module, name = node.get("__loader__"), node.get("__module__"), node.get("__class__")
        if loader not in LOADERS or type(module) is not str or type(name) is not str:
            raise Refused(
                f"The file asks for {str(loader)[:60]!r}, which can do more than hold a model's values.", WITHOUT
            )
        if not trusts(Global(module, name)):
            off[f"{module}.{name}"[:120]] = None
        if "file" in node:
            _check_file(archive, node["file"])
    if off:
        raise Refused(
            f"The file names {', '.join(list(off)[:3])}, which is not on the list of trusted types.",
            "Replace that part of the model, and save it again.",
        )


def tree(archive: Archive, schema: object) -> object:
    """Return the model that a checked schema describes."""
    known: dict[object, object] = {}
    return _value(archive, schema, known)


def _nodes(schema: object) -> Iterator[JsonObject]:
    """Yield the tables that describe objects. Raises Refused beyond depth and number."""
    pending: list[tuple[object, int]] = [(schema, 1)]
    count = 0
    while pending:
        item, depth = pending.pop()
        count += 1
        if depth > MAX_DEPTH or count > MAX_NODES:
            raise Refused("The file is nested more deeply, or has more parts, than any model.", AGAIN)
        if isinstance(item, dict):
            if any(key in item for key in ("__loader__", "__class__", "__module__")):
                yield item
            pending += [(value, depth + 1) for value in item.values()]
        elif isinstance(item, list):
            pending += [(value, depth + 1) for value in item]


def _check_file(archive: Archive, name: object) -> None:
    if type(name) is not str or name not in archive.members:
        raise Refused(f"The file {str(name)[:60]!r} is missing from the archive.", AGAIN)
    if name.endswith(".npy"):
        table, start = _npy(archive, name)
        if table.dtype[:1] == "O" or start + _nbytes(table) != archive.members[name].size:
            raise Refused(f"The array {name[:60]} has a different size than declared, or contains objects.", AGAIN)
    elif name.endswith(".npz"):
        _check_npz(archive, name)
    elif not name.endswith(".bin"):
        raise Refused(f"The archive holds {name[:60]!r}, which skops does not write.", AGAIN)


def _check_npz(archive: Archive, name: str) -> None:
    """Check the arrays of a sparse matrix, which lie in a zip of their own."""
    with tempfile.TemporaryDirectory(prefix="sparse-") as folder:
        copy = Path(folder) / "arrays"
        archive.copy(name, copy)
        with archives.walk(copy) as inner:
            for member in inner.names:
                table, start = _npy(inner, member)
                if table.dtype[:1] == "O" or start + _nbytes(table) != inner.members[member].size:
                    raise Refused(f"A sparse matrix in {name[:60]} has a different size than declared.", AGAIN)


def _npy(archive: Archive, name: str) -> tuple[StoredArray, int]:
    """Read the header of an ``.npy`` member: shape and dtype, and where the data starts. Raises Refused."""
    with archive.open(name) as stream:
        head = stream.read(12)
        if head[:6] != b"\x93NUMPY" or head[6:7] not in b"\x01\x02\x03" or len(head) < 12:
            raise Refused(f"{name[:60]} is not a NumPy array.", AGAIN)
        wide = head[6] > 1
        length = struct.unpack("<I", head[8:12])[0] if wide else struct.unpack("<H", head[8:10])[0]
        if length > MAX_NPY_HEADER:
            raise Refused(f"{name[:60]} has a header of {length:,} bytes.", AGAIN)
        text = (b"" if wide else head[10:]) + stream.read(length - (0 if wide else 2))
    try:
        if b"\\" in text:
            raise ValueError("an escape in a header")
        header = ast.literal_eval(text.decode("latin-1").strip())
        shape, descr = header["shape"], header["descr"]
        if not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError("a negative size")
        return StoredArray(tuple(shape), _descr(descr)), (12 if wide else 10) + length
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError):
        raise Refused(f"{name[:60]} has an unreadable header.", AGAIN) from None


def _descr(descr: Any) -> str:
    """Return a dtype code; a structured dtype becomes the bytes of a whole record."""
    if type(descr) is str:
        code = descr.lstrip("<>|=")
        itemsize(code)
        return code
    sizes = [_field(item) for item in descr]
    return f"V{sum(sizes)}"


def _field(item: Any) -> int:
    code = _descr(item[1])
    if code.startswith("O"):
        raise ValueError("objects in a record")
    count = 1
    for size in item[2] if len(item) > 2 else ():
        count *= int(size)
    return itemsize(code) * count


def _nbytes(table: StoredArray) -> int:
    return itemsize(table.dtype) * math.prod(table.shape)


def _value(archive: Archive, node: object, known: dict[object, object]) -> object:
    """Turn one node into a thing, a table, a list or a plain value."""
    if not isinstance(node, dict) or "__loader__" not in node:
        return None
    if node["__loader__"] == "CachedNode" or node.get("__id__") in known:
        return known.get(node.get("__id__"))
    value = _made(archive, node, known)
    if node.get("__id__") is not None:
        known[node["__id__"]] = value
    return value


def _made(archive: Archive, node: JsonObject, known: dict[object, object]) -> object:
    loader, content = node["__loader__"], node.get("content")
    if loader == "JsonNode":
        return json.loads(content) if type(content) is str else None
    if loader in ("ListNode", "SetNode", "TupleNode"):
        return [_value(archive, item, known) for item in content] if isinstance(content, list) else []
    if loader in ("DictNode", "DefaultDictNode"):
        return {key: _value(archive, item, known) for key, item in content.items()} if isinstance(content, dict) else {}
    if loader in ("NdArrayNode", "MaskedArrayNode"):
        return _array(archive, node, known)
    if loader in ("BytesNode", "BytearrayNode"):
        data = archive.read(node["file"]) if "file" in node else b""
        return Bytes(len(data), data[:EDGE] + data[-EDGE:])
    attributes = _value(archive, content, known)
    return StoredObject(
        f"{node['__module__']}.{node['__class__']}",
        attributes if isinstance(attributes, dict) else {"state": attributes},
    )


def _array(archive: Archive, node: JsonObject, known: dict[object, object]) -> object:
    content = node.get("content")
    if node.get("type") == "numpy":
        table, _ = _npy(archive, node["file"])
        return table
    if node.get("type") == "json" and isinstance(content, list):
        items = [_value(archive, item, known) for item in content]
        return StoredArray((len(items),), "O8", items)
    return _value(archive, content, known)
