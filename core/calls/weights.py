"""Set the weights of two ONNX files beside each other."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, Call, Here
from core.domain.weight_change import WeightChange
from core.domain.work import Model

if TYPE_CHECKING:
    from core.calls.bench import Bench

BEFORE, AFTER = "before.onnx", "after.onnx"


@dataclass(frozen=True)
class Request:
    """The keys of both files."""

    before: str
    after: str


@dataclass(frozen=True)
class Answer:
    """What became of each of the largest tensors."""

    tensors: tuple[WeightChange, ...]


def work(request: Request, here: Here) -> Answer:
    """Compare them tensor by tensor."""
    from core.proof import weights

    return Answer(tuple(weights.changes(IN / request.before, IN / request.after)))


CALL = Call("weights", Request, Answer, work)


def ask(bench: "Bench", before: Model, after: Model) -> tuple[WeightChange, ...]:
    """Compare once."""
    return bench.once(("weights", before, after), lambda: _ask(bench, before, after))


def _ask(bench: "Bench", before: Model, after: Model) -> tuple[WeightChange, ...]:
    blobs = {BEFORE: before.sha256, AFTER: after.sha256}
    with bench.call(CALL, Request(BEFORE, AFTER), blobs, "light") as done:
        return done.value.tensors
