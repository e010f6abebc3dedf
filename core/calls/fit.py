"""Ask a target whether it bears a graph."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, Call, Here
from core.domain.assessment import NOT_TRIED, Fit, Fits, Known
from core.domain.errors import Cancelled, PortolanError
from core.domain.target import Target
from core.domain.work import Model
from core.targets import TARGETS

if TYPE_CHECKING:
    from core.calls.bench import Bench

MODEL = "model.onnx"


@dataclass(frozen=True)
class Request:
    """The key of the ONNX file and the id of the target."""

    file: str
    target: str


def work(request: Request, here: Here) -> Fit:
    """Try it."""
    return TARGETS[request.target].fit(IN / request.file)


CALL = Call("fit", Request, Fit, work)


def ask(bench: "Bench", model: Model, target: Target) -> Fit:
    """Try once; a target whose engine breaks at the file says nothing of it."""
    return bench.once(("fit", model, target.id), lambda: _ask(bench, model, target)) if target.tries else NOT_TRIED


def _ask(bench: "Bench", model: Model, target: Target) -> Fit:
    try:
        with bench.call(CALL, Request(MODEL, target.id), {MODEL: model.sha256}, "light") as done:
            return done.value
    except Cancelled:
        raise
    except PortolanError as error:
        return Fit(Fits.UNKNOWN, Known.UNKNOWN, error.message)
