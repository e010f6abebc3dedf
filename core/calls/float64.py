"""Answer recorded inputs with the source computed in float64, to see what its own float32 loses."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, OUT, Call, Here
from core.calls.opening import Opened, files, opened, runtime_of
from core.domain.errors import Refused
from core.domain.work import Golden, Model
from core.runtimes import runtime_for

if TYPE_CHECKING:
    from core.calls.bench import Bench

GOLDEN, FLOAT64 = "golden.npz", "float64.npz"


@dataclass(frozen=True)
class Request:
    """The source."""

    source: Opened


@dataclass(frozen=True)
class Answered:
    """How many recorded calls were answered; the answers are in ``out/float64.npz``."""

    calls: int


def work(request: Request, here: Here) -> Answered:
    """Answer what can be answered. Raises Refused where the source does not run in float64."""
    from core.proof import rounding

    model = request.source
    session = runtime_of(model, here).in_float64(IN / model.file, model.format)
    if session is None:
        raise Refused(f"{model.format} does not run in float64 here.", "Export the model as ONNX or .pt2.")
    return Answered(rounding.record(session, IN / GOLDEN, OUT / FLOAT64))


CALL = Call("float64", Request, Answered, work)


def ask(bench: "Bench", source: Model, golden: Golden) -> str | None:
    """Return the SHA-256 of the answers; None where no call was answered. Raises Refused where none can be."""
    blobs = {**files(bench, source), GOLDEN: golden.sha256}
    kind = "torch" if runtime_for(source.format).kind == "light" else runtime_for(source.format).kind
    with bench.call(CALL, Request(opened(bench, source)), blobs, kind) as done:
        return bench.keep(done.folder / FLOAT64).sha256 if done.value.calls else None
