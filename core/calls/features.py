"""Read a data set as the few numbers a sample by which requests are watched."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import Call, Here
from core.calls.opening import Opened, Samples, dataset_of, files, opened, required, samples, session_of
from core.domain.drift import MOST_ROWS, Reference
from core.domain.work import Data, Model
from core.runtimes import runtime_for

if TYPE_CHECKING:
    from core.calls.bench import Bench


@dataclass(frozen=True)
class Request:
    """The model and the samples."""

    model: Opened
    data: Samples


def work(request: Request, here: Here) -> Reference:
    """Read samples at regular distances as the model takes them, ``MOST_ROWS`` at most, and tell their features."""
    import numpy as np

    from core.proof.drifting import features

    dataset = required(dataset_of(request.data, session_of(request.model, here)))
    some = dataset.only(np.arange(dataset.n) % -(-dataset.n // MOST_ROWS) == 0)
    found = features(some.samples(0, some.n))
    table = np.stack(list(found.values()), axis=1) if found else np.zeros((0, 0))
    return Reference(tuple(found), tuple(tuple(row) for row in table.tolist()))


CALL = Call("features", Request, Reference, work)


def ask(bench: "Bench", model: Model, data: Data) -> Reference:
    """Read once."""
    return bench.once(("features", model, data), lambda: _ask(bench, model, data))


def _ask(bench: "Bench", model: Model, data: Data) -> Reference:
    given = samples(data)
    assert given is not None
    request = Request(opened(bench, model), given)
    with bench.call(CALL, request, files(bench, model, data), runtime_for(model.format).kind) as done:
        return done.value
