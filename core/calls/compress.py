"""Apply one technique to a model."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.calls.call import IN, OUT, Call, Here, Nothing
from core.calls.opening import Opened, Samples, dataset_of, files, opened, required, samples, session_of
from core.domain.errors import Unavailable
from core.domain.recipe import Option
from core.domain.technique import Lesson, Technique
from core.domain.transform import parse_options
from core.domain.work import Data, Model
from core.techniques import TECHNIQUES

if TYPE_CHECKING:
    from core.calls.bench import Bench
    from core.sandbox.watch import Progress

TEACHER = "teacher.onnx"


@dataclass(frozen=True)
class Request:
    """The model, the technique with its options, and the samples that it learns from."""

    model: Opened
    technique: str
    options: dict[str, Option]
    data: Samples | None


def work(request: Request, here: Here) -> Nothing:
    """Write ``out/artifact``, the model after the technique, which learns from the part of the data that it may see alone."""
    technique = TECHNIQUES[request.technique]
    options = parse_options(technique.Options, request.options)
    lesson = learned(request, technique, here) if technique.calibrates else Lesson(IN / TEACHER, {})
    technique.apply(IN / request.model.file, OUT / "artifact", options, replace(lesson, tell=here))
    return Nothing()


def learned(request: Request, technique: Technique, here: Here) -> Lesson:
    """Return the first samples with their labels. Raises Refused where there are none."""
    dataset, rows = required(dataset_of(request.data, session_of(request.model, here))), technique.rows
    labels = None if dataset.labels is None else dataset.labels[:rows]
    return Lesson(IN / TEACHER, dataset.samples(0, rows), labels)


CALL = Call("compress", Request, Nothing, work)


def ask(
    bench: "Bench",
    source: Model,
    technique: Technique,
    options: dict[str, Option],
    data: Data | None,
    teacher: Model,
    tell: "Progress",
) -> Model:
    """Apply a technique and keep the bytes; it learns from ``data`` and from what ``teacher`` answers. Raises Unavailable where it is not installed."""
    if reason := technique.unavailable():
        raise Unavailable(reason, "Install it, start Portolan again, and repeat the compression.")
    request = Request(opened(bench, source), technique.id, options, samples(data))
    blobs = {**files(bench, source, data), TEACHER: teacher.sha256}
    with bench.call(CALL, request, blobs, technique.kind, progress=tell) as done:
        blob = bench.keep(done.folder / "artifact")
    return Model(blob.sha256, blob.size, source.format)
