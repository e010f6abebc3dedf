"""The bytes of a pickle, however packed: plain, zlib, gzip, bz2 or xz, read forward within a bound."""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeAlias

from core.domain.errors import Refused, first_line

CHUNK = 1 << 20
MAX_BYTES = 4 << 30
FREE_BYTES = 64 << 20
MAX_RATIO = 200
MAX_READ = 1 << 30

Unpacker: TypeAlias = "zlib._Decompress | bz2.BZ2Decompressor | lzma.LZMADecompressor"
PACKINGS: dict[bytes, Callable[[], Unpacker]] = {
    # 31 is a window of 15 bits plus 16, which asks for gzip's header (zlib manual, inflateInit2).
    b"\x1f\x8b": lambda: zlib.decompressobj(31),
    # Deflate with a window of 32 KB; the second byte differs by level (RFC 1950, section 2.2).
    b"\x78\x01": zlib.decompressobj,
    b"\x78\x5e": zlib.decompressobj,
    b"\x78\x9c": zlib.decompressobj,
    b"\x78\xda": zlib.decompressobj,
    b"BZ": bz2.BZ2Decompressor,
    b"\xfd7": lambda: lzma.LZMADecompressor(memlimit=256 << 20),
    # The first byte of an .lzma file made with the usual settings: (2 * 5 + 0) * 9 + 3.
    b"\x5d\x00": lambda: lzma.LZMADecompressor(memlimit=256 << 20),
}
DAMAGE = (zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)


class Stream:
    """Forward reading over blocks of bytes, as ``pickletools`` wants it, without holding what was passed."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._block = b""
        self._at = 0
        self.position = 0

    def tell(self) -> int:
        """Return the number of bytes that were passed."""
        return self.position

    def read(self, count: int) -> bytes:
        """Return up to ``count`` bytes. Raises Refused for a single read over 1 GB."""
        if count > MAX_READ or count < 0:
            raise Refused(
                "The pickle contains a piece larger than 1 GB.", "Save the model with safetensors or as .pt2."
            )
        end = self._at + count
        if end <= len(self._block):
            piece = self._block[self._at : end]
            self._at = end
            self.position += count
            return piece
        parts: list[bytes] = []
        self._pass(count, parts.append)
        return b"".join(parts)

    def readline(self, limit: int = 1 << 20) -> bytes:
        """Return the bytes up to the next line end, at most a megabyte."""
        parts: list[bytes] = []
        while sum(map(len, parts)) < limit and self._fill():
            end = self._block.find(b"\n", self._at)
            stop = len(self._block) if end < 0 else end + 1
            parts.append(self._block[self._at : stop])
            self.position += stop - self._at
            self._at = stop
            if end >= 0:
                break
        return b"".join(parts)

    def skip(self, count: int) -> int:
        """Pass ``count`` bytes without keeping them, and return how many there were."""
        return self._pass(count, lambda block: None)

    def _pass(self, count: int, take: Callable[[bytes], None]) -> int:
        left = count
        while left > 0 and self._fill():
            piece = self._block[self._at : self._at + left]
            take(piece)
            self._at += len(piece)
            left -= len(piece)
        self.position += count - left
        return count - left

    def _fill(self) -> bool:
        while self._at >= len(self._block):
            self._block, self._at = next(self._blocks, b""), 0
            if not self._block:
                return False
        return True


@contextmanager
def open_pickle(path: Path) -> Iterator[Stream]:
    """Open a file as a stream of its unpacked bytes. Raises Refused while reading when it is damaged or grows too much."""
    with path.open("rb") as file:
        head = file.read(2)
        file.seek(0)
        yield Stream(_unpacked(file, PACKINGS[head]()) if head in PACKINGS else _plain(file))


def unpacked_head(head: bytes, count: int = 4096) -> bytes:
    """Return the first bytes of what ``head`` packs, ``head`` itself when it is not packed, or nothing when that fails."""
    make = PACKINGS.get(head[:2])
    if make is None:
        return head
    try:
        unpacker = make()
        return bytes(unpacker.decompress(head, count))
    except DAMAGE:
        return b""


def _plain(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(CHUNK):
        yield block


def _unpacked(file: BinaryIO, unpacker: Unpacker) -> Iterator[bytes]:
    """Yield unpacked blocks of at most a megabyte, counting what goes in and what comes out."""
    taken = given = 0
    pending, ended = b"", False
    while not unpacker.eof:
        if not pending and getattr(unpacker, "needs_input", True):
            pending = file.read(CHUNK)
            taken += len(pending)
            ended = not pending
        try:
            block = unpacker.decompress(pending, CHUNK)
        except DAMAGE as error:
            raise Refused(
                f"The compressed file is damaged ({first_line(error)}).", "Download or save it again."
            ) from None
        # zlib hands back what it did not take; bz2 and lzma keep it and say so by needs_input.
        pending = getattr(unpacker, "unconsumed_tail", b"")
        given += len(block)
        if given > MAX_BYTES or (given > FREE_BYTES and given > MAX_RATIO * taken):
            raise Refused(
                "The file would grow to more than 200 times its size when unpacked.",
                "Save it again without compression.",
            )
        if block:
            yield block
        elif ended and not unpacker.eof:
            raise Refused("The compressed file is cut off.", "Download or save it again.")
