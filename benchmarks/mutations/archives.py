"""Changes of a zip by its members, their order, names and headers."""

import io
import random
import struct
import warnings
import zipfile
from collections.abc import Callable

from benchmarks.mutations.bait import Bait
from benchmarks.mutations.raw import EXTREMES

FIELDS = (8, 10, 16, 20, 24, 28, 30, 42)
"""Places in an entry of the directory: flags, method, checksum, sizes, lengths, where the member lies (APPNOTE.TXT, 4.3.12)."""
Inner = Callable[[bytes, str, random.Random, Bait], bytes]


def zip_changed(data: bytes, dice: random.Random, bait: Bait, inner: Inner) -> bytes:
    """Change one member in its own way, or the archive around the members."""
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        members = [(info, old.read(info)) for info in old.infolist()]
    place, act = dice.randrange(len(members)), dice.randrange(10)
    info, content = members[place]
    if act < 6:
        members[place] = (info, inner(content, info.filename, dice, bait))
    elif act == 6:
        dice.shuffle(members)
    elif act == 7:
        members[place : place + 1] = [members[place]] * dice.choice((0, 2))
    elif act == 8:
        named = dice.choice(
            (
                f"../../../..{bait.written}",
                str(bait.written),
                "a/../" + info.filename,
                info.filename.upper(),
                "-rf",
                "x\ny",
                info.filename + "/x",
                "é\u202e",
            )
        )
        info = zipfile.ZipInfo(named)
        info.external_attr = dice.choice((0o644, 0o120777, 0o60644)) << 16
        members.append((info, str(bait.secret).encode()))
    out = packed(members)
    return header_changed(out, dice) if act == 9 else out


def packed(members: list[tuple[zipfile.ZipInfo, bytes]]) -> bytes:
    """Return a zip of members under their own names, stored or deflated as they were."""
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as new:
        warnings.simplefilter("ignore")
        for info, content in members:
            again = zipfile.ZipInfo(info.filename, info.date_time)
            again.external_attr, again.create_system = info.external_attr, 3
            new.writestr(again, content, info.compress_type)
    return out.getvalue()


def header_changed(data: bytes, dice: random.Random) -> bytes:
    """Write an extreme number over a field of an entry of the directory."""
    entries, place = [], data.find(b"PK\x01\x02")
    while place >= 0:
        entries.append(place)
        place = data.find(b"PK\x01\x02", place + 4)
    at = dice.choice(entries) + dice.choice(FIELDS)
    return data[:at] + struct.pack("<I", dice.choice(EXTREMES) % (1 << 32)) + data[at + 4 :]
