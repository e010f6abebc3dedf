"""Pack an ONNX file for its download, byte for byte."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, OUT, Call, Here, Nothing
from core.domain.errors import Refused
from core.domain.limits import PACKING
from core.domain.work import Model
from core.shrink import pack

if TYPE_CHECKING:
    from core.calls.bench import Bench
    from core.memory.blobs import Blob

MODEL = "model.onnx"


@dataclass(frozen=True)
class Request:
    """The key of the file."""

    file: str


def work(request: Request, here: Here) -> Nothing:
    """Write ``out/packed``; that it comes back byte for byte was tried."""
    (OUT / "packed").write_bytes(pack.packed((IN / request.file).read_bytes()))
    return Nothing()


CALL = Call("pack", Request, Nothing, work)


def ask(bench: "Bench", model: Model) -> "Blob":
    """Pack once. Raises Refused for a file that is too large for it."""
    return bench.once(("pack", model), lambda: _ask(bench, model))


def _ask(bench: "Bench", model: Model) -> "Blob":
    if model.size > pack.LARGEST:
        raise Refused(
            f"Files over {pack.LARGEST // 10**6} MB are not packed, because it takes too long.", "Zip the file."
        )
    with bench.call(CALL, Request(MODEL), {MODEL: model.sha256}, "light", PACKING) as done:
        blob = bench.keep(done.folder / "packed")
    with bench.tools.blobs.path(blob.sha256).open("rb") as file:
        if not pack.is_of(file.read(pack.HEAD), model.sha256):
            raise Refused("The packed file belongs to another model.", "Zip the file.")
    return blob
