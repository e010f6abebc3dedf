"""Trace the operators of an ONNX file as it is served."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, OUT, Call, Here
from core.calls.opening import Opened, opened, session_of
from core.domain.operators import Operators
from core.domain.work import Golden, Model

if TYPE_CHECKING:
    from core.calls.bench import Bench

GOLDEN, TRACE = "golden.npz", "trace.json"


@dataclass(frozen=True)
class Request:
    """The model, and the samples of a call."""

    model: Opened
    batch: int


def work(request: Request, here: Here) -> Operators:
    """Trace on recorded inputs, and keep the trace in ``out/trace.json``."""
    from core.onnx.files import unpacked
    from core.proof import golden, operators
    from core.proof.parity import feed

    inputs, _ = golden.read(IN / GOLDEN).ordinary(request.batch)
    fed = feed(session_of(request.model, here), inputs)
    path = IN / request.model.file
    return operators.watched(path if request.model.format == "onnx" else unpacked(path), fed, OUT / TRACE)


CALL = Call("operators", Request, Operators, work)


def ask(bench: "Bench", model: Model, golden: Golden, batch: int = 1) -> tuple[Operators, str]:
    """Trace when nobody else measures on this machine; return also the blob that holds the trace in the form of Chrome's viewer."""
    one = opened(bench, model)
    blobs = {one.file: model.sha256, GOLDEN: golden.sha256}
    with bench.alone(), bench.call(CALL, Request(one, batch), blobs, "light") as done:
        return done.value, bench.keep(done.folder / TRACE).sha256
