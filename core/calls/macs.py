"""Count the MACs of one call of an ONNX file, by its shapes and by a run."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, Call, Here
from core.calls.opening import Opened, opened, session_of
from core.domain.macs import Macs
from core.domain.work import Golden, Model

if TYPE_CHECKING:
    from core.calls.bench import Bench

GOLDEN = "golden.npz"
FORMATS = ("onnx", "onnx_external", "web_package")


@dataclass(frozen=True)
class Request:
    """The model, and the samples of a call."""

    model: Opened
    batch: int


def work(request: Request, here: Here) -> Macs:
    """Count on recorded inputs."""
    from core.onnx.files import unpacked
    from core.proof import golden, macs
    from core.proof.parity import feed

    inputs, batch = golden.read(IN / GOLDEN).ordinary(request.batch)
    fed = feed(session_of(request.model, here), inputs)
    path = IN / request.model.file
    return macs.counted(path if request.model.format == "onnx" else unpacked(path), fed, batch)


CALL = Call("macs", Request, Macs, work)


def ask(bench: "Bench", model: Model, golden: Golden, batch: int = 1) -> Macs:
    """Count once; the model is of one of ``FORMATS``. Raises Refused where it does not run while it is watched."""
    return bench.once(("macs", model, batch), lambda: _ask(bench, model, golden, batch))


def _ask(bench: "Bench", model: Model, golden: Golden, batch: int) -> Macs:
    one = opened(bench, model)
    blobs = {one.file: model.sha256, GOLDEN: golden.sha256}
    with bench.call(CALL, Request(one, batch), blobs, "light") as done:
        return done.value
