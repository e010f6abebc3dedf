"""Zip files of unknown origin: walked against bounds before a member is read, and never unpacked to a name of theirs.

Refused: over 5,000 entries or 4 GB, compression over 200 to 1, encryption, overlap, links, two names for one member,
one name for two members, and names that could leave a folder. Torch, skops and plain ``zip`` write nothing of these.
"""

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from core.domain.errors import Refused, first_line

MAX_ENTRIES = 5_000
MAX_BYTES = 4 << 30
MAX_RATIO = 200
FREE_BYTES = 1 << 20
"""A member up to this size may shrink as it likes: a megabyte of zeros is no bomb."""
MAX_NAME = 512
MAX_DIRECTORY = 8 << 20
DIRECTORY_ENTRY = 256
"""Bytes of one entry of the directory, where there are many: 46 and its name."""
MEMBER_LIMIT = 512 << 20
CHUNK = 1 << 20
EPOCH = (1980, 1, 1, 0, 0, 0)

MAGIC = b"PK\x03\x04"
EMPTY = b"PK\x05\x06"
ZIP64_LOCATOR = b"PK\x06\x07"
PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+=@,() -]{0,199}")
JUNK = re.compile(r"(?:__MACOSX/.*|(?:.*/)?\.DS_Store|.*/)")
"""What a desktop adds to a zip by itself, and folders."""

AGAIN = "Export the model again, or zip it again without options."


@dataclass(frozen=True)
class Member:
    """One file in an archive: its name, its bytes unpacked, and where its local header starts."""

    name: str
    size: int
    packed: int
    offset: int
    start: int
    stored: bool


class Archive:
    """A zip that passed the walk; members are read within a bound of bytes."""

    def __init__(self, source: zipfile.ZipFile, members: dict[str, Member]) -> None:
        self._source = source
        self.members = members

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names, in the order of the directory, without folders."""
        return tuple(self.members)

    def content(self, name: str) -> tuple[int, int]:
        """Return the CRC-32 and the size that the directory states of a member, which members of equal bytes share."""
        self._member(name)
        entry = self._source.getinfo(name)
        return entry.CRC, entry.file_size

    def read(self, name: str, limit: int = MEMBER_LIMIT) -> bytes:
        """Return a member's bytes. Raises Refused when it is missing, larger than ``limit`` bytes, or damaged."""
        member = self._member(name)
        if member.size > limit:
            raise Refused(f"{name} holds {member.size:,} bytes; the limit is {limit:,}.", AGAIN)
        with self.open(name) as stream:
            return _read(stream, name, member.size)

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a member as a stream of at most its declared size."""
        self._member(name)
        try:
            with self._source.open(name) as stream:
                yield stream  # type: ignore[misc]
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
            raise Refused(
                f"{name} in the archive is damaged ({first_line(error)}).", "Download or export the file again."
            ) from None

    def copy(self, name: str, out: Path) -> None:
        """Write a member to a path of ours."""
        with self.open(name) as stream, out.open("xb") as file:
            while block := stream.read(CHUNK):
                file.write(block)

    def _member(self, name: str) -> Member:
        try:
            return self.members[name]
        except KeyError:
            raise Refused(f"The archive has no {name}.", AGAIN) from None


@contextmanager
def walk(path: Path, most: int = MAX_ENTRIES) -> Iterator[Archive]:
    """Open a zip after checking every entry of it, ``most`` at the most. Raises Refused with what is wrong."""
    with path.open("rb") as file:
        start = check_directory(file, most)
        with _zip(file) as source:
            entries = source.infolist()
            if len(entries) > most:
                raise Refused(f"The archive has {len(entries):,} entries; the limit is {most:,}.", AGAIN)
            members = [_member(file, entry) for entry in entries]
            _check_sizes(members)
            _check_overlap(members, start)
            if len({member.name for member in members}) != len(members):
                raise Refused("Two members of the archive have the same name.", AGAIN)
            yield Archive(source, {m.name: m for m in members if not m.name.endswith("/")})


def names(path: Path) -> tuple[str, ...]:
    """Return the names that a zip's directory lists, for recognising it; empty when it is no zip. Raises Refused when it is broken."""
    with path.open("rb") as file:
        if file.read(4) not in (MAGIC, EMPTY):
            return ()
        check_directory(file)
        with _zip(file) as source:
            return tuple(entry.filename for entry in source.infolist())


def extract(path: Path, folder: Path) -> list[Path]:
    """Write the files of a flat archive into ``folder`` under their own plain names, and return the paths.

    One enclosing folder is taken off. Raises Refused for a name that is not plain, or a file in a deeper folder.
    """
    with walk(path) as archive:
        plain = flat(archive.names)
        for member, name in plain.items():
            archive.copy(member, folder / name)
    return [folder / name for name in plain.values()]


def flat(members: tuple[str, ...]) -> dict[str, str]:
    """Map members to plain file names, without a folder that encloses all and without a desktop's junk. Raises Refused."""
    kept = [name for name in members if not JUNK.fullmatch(name)]
    folders = {name.rpartition("/")[0] for name in kept}
    if len(folders) > 1 or any("/" in folder for folder in folders):
        raise Refused(
            "The files in the archive are in several folders.",
            "Put the model and its data files into one folder, and zip that folder.",
        )
    plain = {name: name.rpartition("/")[2] for name in kept}
    for name in plain.values():
        if not PLAIN_NAME.fullmatch(name) or name.rstrip(" .") != name:
            raise Refused(
                f"{name[:80]!r} is not a plain file name.",
                "Rename it with letters, digits, dots and dashes, and export again.",
            )
    if len({name.lower() for name in plain.values()}) != len(plain):
        raise Refused(
            "Two file names in the archive differ only in upper and lower case.", "Rename one, and export again."
        )
    return plain


def check_directory(file: BinaryIO, most: int = MAX_ENTRIES) -> int:
    """Check the end of the archive before anything is parsed, and return where its directory starts. Raises Refused."""
    end = file.seek(0, 2)
    # The end record has 22 bytes and a comment of 65,535 at most (APPNOTE.TXT, 4.3.16).
    file.seek(max(0, end - 65_557))
    tail = file.read()
    place = tail.rfind(EMPTY)
    if place < 0 or len(tail) - place < 22:
        raise Refused("The zip archive is cut off: its directory is missing.", "Download or export the file again.")
    record = end - len(tail) + place
    _, disk, first, here, total, size, offset, comment = struct.unpack("<4s4H2LH", tail[place : place + 22])
    if place + 22 + comment != len(tail):
        raise Refused("The zip archive has extra bytes after its end.", AGAIN)
    # All bits set say that the number did not fit and stands in the zip64 record (APPNOTE.TXT, 4.4.1.4).
    if 0xFFFF in (here, total) or 0xFFFFFFFF in (size, offset) or tail[max(0, place - 20) : place][:4] == ZIP64_LOCATOR:
        record, total, size, offset = _zip64(file, record)
    if disk or first:
        raise Refused("The zip archive is split over several files.", AGAIN)
    if total > most or size > max(MAX_DIRECTORY, most * DIRECTORY_ENTRY):
        raise Refused(f"The archive lists {total:,} entries; the limit is {most:,}.", AGAIN)
    if offset + size != record:
        raise Refused("The zip archive's directory is not where its end record says.", AGAIN)
    return int(offset)


def _zip64(file: BinaryIO, record: int) -> tuple[int, int, int, int]:
    file.seek(max(0, record - 20))
    locator = file.read(20)
    if locator[:4] != ZIP64_LOCATOR:
        raise Refused("The zip archive's end record is damaged.", AGAIN)
    place = struct.unpack("<Q", locator[8:16])[0]
    # The zip64 record has 56 bytes and its locator 20; the end record follows (APPNOTE.TXT, 4.3.14 to 4.3.16).
    if place + 76 != record:
        raise Refused("The zip archive's end record is not where it should be.", AGAIN)
    file.seek(place)
    found = struct.unpack("<4sQ2H2L4Q", file.read(56))
    if found[0] != b"PK\x06\x06":
        raise Refused("The zip archive's end record is damaged.", AGAIN)
    return place, found[7], found[8], found[9]


def _zip(file: BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, UnicodeDecodeError, ValueError, NotImplementedError, struct.error) as error:
        raise Refused(
            f"The zip archive is damaged ({first_line(error)}).", "Download or export the file again."
        ) from None


def add(archive: zipfile.ZipFile, name: str, content: bytes | Path) -> None:
    """Add bytes, compressed, or a file as it is and in pieces; the date is fixed, so that equal content gives equal bytes."""
    info = zipfile.ZipInfo(name, EPOCH)
    info.external_attr = 0o644 << 16
    if isinstance(content, bytes):
        archive.writestr(info, content, zipfile.ZIP_DEFLATED)
        return
    with content.open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
        while chunk := source.read(CHUNK):
            target.write(chunk)


def _member(file: BinaryIO, entry: zipfile.ZipInfo) -> Member:
    """Check one entry of the directory against its local header."""
    name = entry.orig_filename
    check_name(name)
    # Bits 0 and 6 are encryption, bit 13 hides the local header (APPNOTE.TXT, 4.4.4).
    if entry.flag_bits & 0x2041:
        raise Refused(f"{name} in the archive is encrypted.", "Zip it again without a password.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused(
            f"{name} uses compression method {entry.compress_type}; only stored and deflated members are supported.",
            AGAIN,
        )
    # The upper half holds the mode of the file where the archive was made on Unix, system 3.
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if entry.create_system == 3 and kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Refused(f"{name} in the archive is a link or a device, not a file.", "Zip the files themselves.")
    if entry.file_size > FREE_BYTES and entry.file_size > MAX_RATIO * entry.compress_size:
        raise Refused(
            f"{name} would grow {entry.file_size // max(entry.compress_size, 1):,} times when unpacked, which is not plausible for a model.",
            AGAIN,
        )
    stored = entry.compress_type == zipfile.ZIP_STORED
    if stored and entry.file_size != entry.compress_size:
        raise Refused(f"{name} states two sizes for the same bytes.", AGAIN)
    start = _local(file, entry)
    return Member(name, entry.file_size, entry.compress_size, entry.header_offset, start, stored)


def _local(file: BinaryIO, entry: zipfile.ZipInfo) -> int:
    """Compare the local header with the directory's entry and return where the data starts."""
    file.seek(entry.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != MAGIC:
        raise Refused(f"{entry.orig_filename} is not where the archive's directory says.", AGAIN)
    flags, method, *_, length, extra = struct.unpack("<2H4s3L2H", header[6:])
    raw = file.read(length)
    # Bit 11 says UTF-8; without it names are in code page 437 (APPNOTE.TXT, appendix D).
    encoded = entry.orig_filename.encode("utf-8" if entry.flag_bits & 0x800 else "cp437")
    if raw != encoded or method != entry.compress_type or flags & 0x2041:
        raise Refused(f"{entry.orig_filename} has another name or method in its own header.", AGAIN)
    return int(entry.header_offset + 30 + length + extra)


def check_name(name: str) -> None:
    """Refuse a member's name that is too long, or that could lead out of a folder on any system."""
    parts = name.split("/")
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise Refused(f"The archive has an unusable name: {name[:60]!r}.", AGAIN)
    if name.startswith("/") or "\\" in name or ".." in parts or re.match(r"[A-Za-z]:", name):
        raise Refused(
            f"The archive names a place outside itself: {name[:60]!r}.",
            "Do not open this archive with other programs either.",
        )


def _check_sizes(members: list[Member]) -> None:
    total = sum(member.size for member in members)
    if total > MAX_BYTES:
        raise Refused(f"The archive unpacks to {total / 1e9:,.1f} GB; the limit is {MAX_BYTES / 1e9:.1f} GB.", AGAIN)


def _check_overlap(members: list[Member], directory: int) -> None:
    edge = 0
    # Members that share bytes are how a small zip unpacks to many times its size (Fifield 2019, A better zip bomb).
    for member in sorted(members, key=lambda m: m.offset):
        if member.offset < edge:
            raise Refused(f"{member.name} overlaps another member of the archive.", AGAIN)
        edge = member.start + member.packed
        if edge > directory:
            raise Refused(f"{member.name} extends beyond the archive.", "Download or export the file again.")


def _read(stream: BinaryIO, name: str, size: int) -> bytes:
    try:
        data = stream.read(size + 1)
    except MemoryError:
        raise Refused(f"{name} in the archive does not fit in memory.", AGAIN) from None
    if len(data) != size:
        raise Refused(
            f"{name} contains {len(data):,} bytes but declares {size:,}.", "Download or export the file again."
        )
    return data
