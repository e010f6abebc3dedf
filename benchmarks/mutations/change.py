"""Chooses a change by what the bytes are: containers are opened, and what lies in them is changed in its own way."""

import lzma
import random
import struct
import zlib
from collections.abc import Callable

from benchmarks.mutations import raw
from benchmarks.mutations.archives import zip_changed
from benchmarks.mutations.bait import Bait
from benchmarks.mutations.hierarchies import hdf5_changed
from benchmarks.mutations.pickles import operations, pickle_changed
from benchmarks.mutations.texts import json_changed, line_changed, xml_changed
from benchmarks.mutations.wire import flatbuffer_changed, parsed, protobuf_changed

FLATBUFFERS = (b"TFL3", b"ORTM", b"ET12", b"CBM1")
XZ = b"\xfd7zXZ\x00"
Structured = Callable[[bytes, random.Random, Bait], bytes]


def mutated(data: bytes, name: str, dice: random.Random, bait: Bait) -> tuple[bytes, str]:
    """Return a file changed one to three times, and whether its bytes, its structure or both were."""
    done = set[str]()
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        if not data:
            break
        if dice.random() < 0.7 and (changed := structured(data, name, dice, bait)) is not None:
            data = changed
            done.add("structure")
        else:
            data = dice.choice(raw.CHANGES)(data, dice)
            done.add("bytes")
    return data, " and ".join(sorted(done))


def structured(data: bytes, name: str, dice: random.Random, bait: Bait) -> bytes | None:
    """Return the file with its structure changed, or None where it has none that can be read (any more)."""
    try:
        if data[:4] == b"PK\x03\x04":
            return zip_changed(data, dice, bait, member_changed)
        if data[:2] in (b"\x78\x9c", b"\x78\x5e", b"\x78\x01"):
            return zlib.compress(member_changed(zlib.decompress(data), name, dice, bait), 3)
        if data[:6] == XZ:
            return lzma.compress(member_changed(lzma.decompress(data), name, dice, bait), preset=0)
        if data[8:9] == b"{" and len(data) > (head := struct.unpack("<Q", data[:8])[0]):
            text = json_changed(data[8 : 8 + head], dice, bait)
            return struct.pack("<Q", len(text)) + text + data[8 + head :]
        way = kind(data)
        return way(data, dice, bait) if way else None
    except Exception:  # a file that was changed before, in a form that its own library no longer reads
        return None


def kind(data: bytes) -> Structured | None:
    """Return how bytes of this kind are changed, or None."""
    if data[:1] in (b"{", b"["):
        return json_changed
    if data.lstrip()[:1] == b"<":
        return xml_changed
    if data[:4] == b"\x89HDF":
        return hdf5_changed
    if data[4:8] in FLATBUFFERS:
        return flatbuffer_changed
    if pickled(data):
        return pickle_changed
    if b"\0" not in data and all(byte > 8 for byte in data[:2000]):
        return line_changed
    return protobuf_changed if parsed(data) else None


def pickled(data: bytes) -> bool:
    """Say whether the bytes begin with a pickle."""
    if data[:1] not in (b"\x80", b"(", b"c", b"}", b"]"):
        return False
    try:
        return bool(operations(data))
    except Exception:
        return False


def member_changed(data: bytes, name: str, dice: random.Random, bait: Bait) -> bytes:
    """Change what lies in a container."""
    return mutated(data, name, dice, bait)[0] if data else raw.inserted(data, dice)
