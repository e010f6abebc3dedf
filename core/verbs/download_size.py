"""How small a compressed model is to download: both files packed, and a bundle with the packed one where that is smaller than zipped."""

from dataclasses import dataclass, replace

from core.answers import bundle
from core.calls import pack
from core.calls.bench import Bench
from core.domain.compression import Compression
from core.domain.errors import Cancelled, PortolanError
from core.domain.measures import Sizes
from core.domain.work import Bundle, Model
from core.memory.blobs import Blob, Blobs


@dataclass(frozen=True)
class Packed:
    """A packed file, or why it is not packed."""

    blob: Blob | None
    reason: str | None = None

    @property
    def size(self) -> int | None:
        """Its bytes."""
        return self.blob.size if self.blob else None


def packed(bench: Bench, model: Model) -> Packed:
    """Pack a file, or say why it is only zipped."""
    try:
        return Packed(pack.ask(bench, model))
    except Cancelled:
        raise
    except PortolanError as error:
        return Packed(None, error.message)


def sizes(known: Sizes, before: Packed, after: Packed) -> Sizes:
    """Add the bytes of both files packed, None for one that is only zipped, and why it is."""
    return replace(known, packed_before=before.size, packed_after=after.size, not_packed=after.reason or before.reason)


def bundled(blobs: Blobs, compression: Compression, sent: Packed) -> Bundle | None:
    """Write the bundle with the packed file in the place of the model; None where zipping is as good."""
    if sent.blob is None or sent.blob.size >= compression.size.zipped_after:
        return None
    return bundle.build(blobs, compression, sent.blob)
