"""The tree of an HDF5 file, checked before a loader follows it: plain numbers in plain groups, nothing that leads outside.

Left out of what HDF5 allows are soft and external links, virtual datasets, data in other files, filters by plug-in,
object references, compound and opaque types: https://support.hdfgroup.org/documentation/hdf5/latest/_h5_d__u_g.html.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.errors import Refused, first_line

if TYPE_CHECKING:
    import h5py

MAGIC = b"\x89HDF\r\n\x1a\n"
MAX_OBJECTS, MAX_DEPTH, MAX_ATTRIBUTES = 50_000, 64, 200
MAX_TEXT = 64 << 20
MAX_RATIO, FREE_BYTES, MAX_CHUNK = 200, 1 << 20, 512 << 20
FILTERS = {1, 2, 3, 32000}
"""Deflate, shuffle, Fletcher-32 and LZF, all of which h5py brings itself."""
AGAIN = "Save the model again with Keras."
BROKEN = "Download or export the file again."


@dataclass(frozen=True)
class Weight:
    """One dataset: its path in the file, dtype and shape."""

    path: str
    dtype: str
    shape: tuple[int, ...]


@contextmanager
def opened(path: Path) -> "Iterator[h5py.File]":
    """Open a file for reading alone. Raises Refused when the library cannot read it."""
    import h5py

    try:
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise Refused(f"The HDF5 data is cut off or broken ({first_line(error)[:100]}).", BROKEN) from None


def check(file: "h5py.File") -> tuple[Weight, ...]:
    """Walk every object and return the datasets. Raises Refused at the first that is more than numbers in groups."""
    weights: list[Weight] = []
    seen: set[int] = set()
    waiting: list[tuple[str, h5py.Group | h5py.Dataset, int]] = [("", file["/"], 0)]
    while waiting:
        path, item, depth = waiting.pop()
        address = _address(item)
        # Hard links may lead back to a group above, which makes a tree without end.
        if address in seen:
            raise Refused(f"Two names in the file lead to the same object ({path[:80]!r}).", AGAIN)
        seen.add(address)
        if len(seen) > MAX_OBJECTS or depth > MAX_DEPTH:
            raise Refused("The file contains more groups than any model.", AGAIN)
        _check_attributes(path, item)
        if _is_dataset(item):
            weights.append(_checked(path, item))
        else:
            waiting.extend(
                (f"{path}/{name}".strip("/"), _child(path, item, name), depth + 1) for name in reversed(item)
            )
    return tuple(weights)


def text(item: "h5py.File", name: str) -> str | None:
    """Return a text attribute, or None when there is none. Raises Refused when it is no text."""
    if name not in item.attrs:
        return None
    value = item.attrs[name]
    if isinstance(value, bytes):
        value = value.decode()
    if not isinstance(value, str):
        raise Refused(f"{name} in the file is not text.", AGAIN)
    return value


def _is_dataset(item: "h5py.HLObject") -> bool:
    import h5py

    if isinstance(item, h5py.Datatype):
        raise Refused(f"The file defines a data type of its own ({item.name!r}).", AGAIN)
    return isinstance(item, h5py.Dataset)


def _address(item: "h5py.HLObject") -> int:
    import h5py

    return int(h5py.h5o.get_info(item.id).addr)


def _child(path: str, group: "h5py.Group", name: str) -> "h5py.HLObject":
    import h5py

    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise Refused(f"{f'{path}/{name}'.strip('/')[:80]!r} is a link to another place or file.", AGAIN)
    return group[name]


def _check_attributes(path: str, item: "h5py.HLObject") -> None:
    if len(item.attrs) > MAX_ATTRIBUTES:
        raise Refused(f"{path[:80]!r} has {len(item.attrs)} attributes.", AGAIN)
    for name in item.attrs:
        attribute = item.attrs.get_id(name)
        if not _plain(attribute.get_type()) or attribute.get_type().get_size() * math.prod(attribute.shape) > MAX_TEXT:
            raise Refused(f"The attribute {name[:60]!r} of {path[:80]!r} is neither text nor a number.", AGAIN)


def _checked(path: str, item: "h5py.Dataset") -> Weight:
    """Refuse a dataset that lies elsewhere, is packed in an unknown way, or is far larger than its bytes in the file."""
    import h5py

    plist, where = item.id.get_create_plist(), f"The weight {path[:80]!r}"
    if plist.get_external_count() or plist.get_layout() == h5py.h5d.VIRTUAL:
        raise Refused(f"{where} points to another file.", AGAIN)
    if any(plist.get_filter(n)[0] not in FILTERS for n in range(plist.get_nfilters())):
        raise Refused(f"{where} is compressed with an unknown method.", AGAIN)
    if not _plain(item.id.get_type()) or item.dtype.kind not in "iufb":
        raise Refused(f"{where} contains something other than numbers.", AGAIN)
    # Chunks that were never written take no room and read as the fill value: a small file may claim any size.
    if item.nbytes > FREE_BYTES and item.nbytes > MAX_RATIO * item.id.get_storage_size():
        raise Refused(f"{where} would grow to {item.nbytes / 1e6:,.0f} MB from almost nothing.", AGAIN)
    if item.chunks and item.dtype.itemsize * math.prod(item.chunks) > MAX_CHUNK:
        raise Refused(f"{where} is stored in chunks larger than 512 MB.", AGAIN)
    return Weight(path, str(item.dtype), tuple(int(n) for n in item.shape))


def _plain(kind: "h5py.h5t.TypeID") -> bool:
    import h5py

    return kind.get_class() in (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.ENUM)
