"""Files that ``torch.save`` writes: the zip of today and the pickles in a row of before 1.6, traced and measured without torch."""

import struct
from pathlib import Path
from typing import TYPE_CHECKING

from core.border import archives, pickles
from core.border.archives import Archive
from core.border.pickles import Stream, Trace
from core.domain.errors import Refused
from core.formats.anatomy import script_signature, told, torch_weights
from core.formats.anatomy.tensor_bytes import viewed
from core.formats.anatomy.torch_weights import TensorView

if TYPE_CHECKING:
    import numpy as np

LEGACY = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
"""The first opcodes of a legacy file: protocol 2 and torch's magic number."""
MAX_PICKLE = 256 << 20
CUT = "Download or save the file again."


def check(path: Path, what: str) -> Trace:
    """Refuse a file whose pickle imports more than weights need, or whose tensors and bytes differ; ``what`` names it in words.

    Returns the trace of the pickle.
    """
    trace = read(path)
    torch_weights.check_names(trace, pickles.torch_allows, what)
    held = {tensor.key: tensor.held * tensor.width for tensor in torch_weights.tensors(trace)}
    if archives.names(path):
        with archives.walk(path) as archive:
            check_members(archive, prefix(archive) + "/data", held)
    return trace


def read(path: Path) -> Trace:
    """Trace the pickle that holds the weights. Raises Refused for a file that torch.save did not write."""
    if archives.names(path):
        with archives.walk(path) as archive:
            return trace_member(archive, f"{prefix(archive)}/data.pkl")
    with path.open("rb") as file:
        if file.read(len(LEGACY)) != LEGACY:
            raise Refused("The file was not written by torch.save.", torch_weights.AGAIN)
    return _legacy(path)


def told_beside(path: Path) -> dict[str, str]:
    """Return the entries in the extra files of a TorchScript file or an exported program."""
    with archives.walk(path) as archive:
        return told.beside(archive, prefix(archive), (script_signature.MEMBER,))


def trace_member(archive: Archive, name: str) -> Trace:
    """Trace a pickle in a zip, and refuse bytes behind its end."""
    stream = Stream(iter((archive.read(name, MAX_PICKLE),)))
    trace = pickles.trace(stream)
    if stream.read(1):
        raise Refused(f"{name} continues after its end.", torch_weights.AGAIN)
    return trace


def prefix(archive: Archive) -> str:
    """Return the one folder that encloses all members. Raises Refused when there is another."""
    tops = {name.partition("/")[0] for name in archive.names}
    if len(tops) != 1 or any("/" not in name for name in archive.names):
        raise Refused("The archive does not have the layout that torch writes.", torch_weights.AGAIN)
    return tops.pop()


def check_members(archive: Archive, folder: str, held: dict[str, int]) -> None:
    """Refuse storages, by key and bytes, that have another size in the archive."""
    for key, size in held.items():
        member = archive.members.get(f"{folder}/{key}")
        if member is None or member.size != size:
            raise Refused(f"The weights in {key[:40]} have a different size than the file declares.", CUT)


def numbers(archive: Archive, member: str, view: TensorView) -> "np.ndarray | None":
    """Return what a checked view shows of the storage in a member; None for a type that NumPy does not hold."""
    with archive.open(member) as stream:
        return viewed(stream.read(archive.members[member].size), view)


def _legacy(path: Path) -> Trace:
    """Trace the pickles in a row and check the raw storages behind them."""
    with pickles.open_pickle(path) as stream:
        traces = [pickles.trace(stream) for _ in range(5)]
        for trace in traces:
            torch_weights.check_names(trace, pickles.torch_allows, "The file")
        weights, keys = traces[3], traces[4].result
        sizes = {t.key: (t.held, t.width) for t in torch_weights.tensors(weights)}
        if not isinstance(keys, list) or set(keys) != set(sizes):
            raise Refused("The file lists different weights from those that it uses.", CUT)
        for key in keys:
            count = struct.unpack("<q", stream.read(8).ljust(8, b"\xff"))[0]
            size = count * sizes[key][1]
            if count != sizes[key][0] or stream.skip(size) != size:
                raise Refused("The file is cut off within its weights, or their sizes differ.", CUT)
        return weights
