"""Measure a model on labelled data."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.calls.call import Call, Here
from core.calls.opening import Opened, Samples, dataset_of, files, opened, samples, session_of
from core.domain.errors import Refused
from core.domain.report import Quality
from core.domain.work import Data, Golden, Model
from core.runtimes import runtime_for

if TYPE_CHECKING:
    from core.calls.bench import Bench


@dataclass(frozen=True)
class Request:
    """The model and the samples."""

    model: Opened
    data: Samples | None


def work(request: Request, here: Here) -> Quality:
    """Count right answers, or the error of numbers."""
    from core.proof import quality

    session = session_of(request.model, here)
    dataset = dataset_of(request.data, session)
    if dataset is None:
        raise Refused("There is no data set to measure with.", "Add one with labels.")
    return quality.evaluate(session, dataset)


CALL = Call("evaluate", Request, Quality, work)


def ask(bench: "Bench", model: Model, data: Data) -> Quality:
    """Measure once for each model and data set."""
    return bench.once(_key(model, data), lambda: _ask(bench, model, data))


def as_read(data: Data | None, golden: Golden) -> Data | None:
    """Return the data with its columns in the order that the recorded model names, for a file made of it that has forgotten the names."""
    return replace(data, columns=golden.evidence.columns) if data and golden.evidence.columns else data


def remember(bench: "Bench", model: Model, data: Data, quality: Quality) -> None:
    """Keep a quality that was found on the way."""
    bench.once(_key(model, data), lambda: quality)


def _key(model: Model, data: Data) -> tuple[object, ...]:
    return "evaluate", model, data


def _ask(bench: "Bench", model: Model, data: Data) -> Quality:
    request, blobs = Request(opened(bench, model), samples(data)), files(bench, model, data)
    with bench.call(CALL, request, blobs, runtime_for(model.format).kind) as done:
        return done.value
