"""How small a compressed model travels: both files packed, and a bundle with the packed one where that is smaller than zipped."""

from dataclasses import dataclass
from typing import Any

from core.answers import bundle
from core.calls.bench import Bench
from core.domain.errors import Cancelled, PortolanError
from core.domain.work import Model
from core.memory.blobs import Blob, Blobs


@dataclass(frozen=True)
class Sent:
    """A file packed for travel, or why it is not."""

    packed: Blob | None
    reason: str | None = None


def send(bench: Bench, model: Model) -> Sent:
    """Pack a file, or say why it is only zipped."""
    try:
        return Sent(bench.pack(model))
    except Cancelled:
        raise
    except PortolanError as error:
        return Sent(None, error.message)


def sizes(before: Sent, after: Sent) -> dict[str, Any]:
    """Return the bytes of both files packed, None for one that is only zipped, and why it is."""
    packed = {f"packed_{side}": one.packed and one.packed.size for side, one in (("before", before), ("after", after))}
    return {**packed, "not_packed": after.reason or before.reason}


def bundled(blobs: Blobs, compression: dict[str, Any], sent: Sent) -> dict[str, Any] | None:
    """Write the bundle with the packed file in the place of the model; None where zipping is as good."""
    if sent.packed is None or sent.packed.size >= compression["size"]["zipped_after"]:
        return None
    return vars(bundle.build(blobs, compression, sent.packed))
