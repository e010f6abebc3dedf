"""Measure a model on labelled data, alone or against another on the same samples."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.calls.call import IN, OUT, Call, Here
from core.calls.opening import Opened, Samples, dataset_of, files, opened, samples, session_of
from core.domain.errors import Refused
from core.domain.loss import PairedLoss
from core.domain.measures import Qualities
from core.domain.report import Quality
from core.domain.work import Data, Golden, Model
from core.runtimes import runtime_for

if TYPE_CHECKING:
    import numpy as np

    from core.calls.bench import Bench

EACH, BEFORE = "each.npy", "before.npy"


@dataclass(frozen=True)
class Request:
    """The model and the samples."""

    model: Opened
    data: Samples | None


@dataclass(frozen=True)
class Answer:
    """The quality, and what was lost against the other model where its samples came along."""

    quality: Quality
    loss: PairedLoss | None = None


@dataclass(frozen=True)
class Measured:
    """The quality of a model, and the blob that says of each sample whether it is right, or its squared error."""

    quality: Quality
    each: str
    loss: PairedLoss | None = None


def work(request: Request, here: Here) -> Answer:
    """Count right answers, or the error of numbers; ``out/each.npy`` says it of each sample, as ``in/before.npy`` does of the other model."""
    import numpy as np

    from core.proof import paired, quality

    session = session_of(request.model, here)
    dataset = dataset_of(request.data, session)
    if dataset is None:
        raise Refused("There is no data set to measure with.", "Add one with labels.")
    found = quality.one_by_one(quality.answers(session, dataset), dataset)
    write(found.each)
    before = IN / BEFORE
    loss = paired.of(np.load(before, allow_pickle=False), found.each) if before.exists() else None
    return Answer(found.quality, loss)


def write(each: "np.ndarray") -> None:
    """Write down how right each answer is."""
    import numpy as np

    np.save(OUT / EACH, each, allow_pickle=False)


CALL = Call("evaluate", Request, Answer, work)


def ask(bench: "Bench", model: Model, data: Data) -> Quality:
    """Measure once for each model and data set."""
    return _measured(bench, model, data).quality


def both(bench: "Bench", source: Model, target: Model, data: Data, read: Data | None = None) -> Qualities:
    """Measure two models on the same samples, which the target may have to be given otherwise, and what the second lost."""
    before = _measured(bench, source, data)
    after = _ask(bench, target, read or data, {BEFORE: before.each})
    return Qualities(before.quality, after.quality, after.loss)


def as_read(data: Data | None, golden: Golden) -> Data | None:
    """Return the data as the recorded model read it, for a file made of it that has forgotten the names of its columns, or what its task was guessed from."""
    if data is None:
        return None
    known = golden.evidence
    return replace(data, columns=known.columns or data.columns, task=known.task or data.task)


def remember(bench: "Bench", model: Model, data: Data, found: Measured) -> None:
    """Keep a quality that was found on the way."""
    bench.once(_key(model, data), lambda: found)


def _measured(bench: "Bench", model: Model, data: Data) -> Measured:
    return bench.once(_key(model, data), lambda: _ask(bench, model, data, {}))


def _key(model: Model, data: Data) -> tuple[object, ...]:
    return "evaluate", model, data


def _ask(bench: "Bench", model: Model, data: Data, beside: dict[str, str]) -> Measured:
    request, blobs = Request(opened(bench, model), samples(data)), {**files(bench, model, data), **beside}
    with bench.call(CALL, request, blobs, runtime_for(model.format).kind) as done:
        return Measured(done.value.quality, bench.keep(done.folder / EACH).sha256, done.value.loss)
