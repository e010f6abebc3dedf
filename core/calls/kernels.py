"""Count the operators that ONNX Runtime is left with when it runs a file."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, Call, Here
from core.domain.overhead import Kernels
from core.domain.work import Model

if TYPE_CHECKING:
    from core.calls.bench import Bench

MODEL = "model.onnx"


@dataclass(frozen=True)
class Request:
    """The key of the file."""

    file: str


def work(request: Request, here: Here) -> Kernels:
    """Count them."""
    from core.proof import kernels

    return kernels.count(IN / request.file)


CALL = Call("kernels", Request, Kernels, work)


def ask(bench: "Bench", model: Model) -> Kernels:
    """Count once."""
    return bench.once(("kernels", model), lambda: _ask(bench, model))


def _ask(bench: "Bench", model: Model) -> Kernels:
    with bench.call(CALL, Request(MODEL), {MODEL: model.sha256}, "light") as done:
        return done.value
