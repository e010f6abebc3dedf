"""Measure what each weight tensor of an ONNX file bears."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, Call, Here
from core.calls.opening import Opened, Samples, dataset_of, files, opened, required, samples, session_of
from core.domain.tuning import HeatMap
from core.domain.work import Data, Model

if TYPE_CHECKING:
    from core.calls.bench import Bench


@dataclass(frozen=True)
class Request:
    """The model and the samples."""

    model: Opened
    data: Samples | None


def work(request: Request, here: Here) -> HeatMap:
    """Change one tensor in one way at a time, and see what the answers suffer."""
    from core.proof import heat_map

    dataset = required(dataset_of(request.data, session_of(request.model, here)))
    return heat_map.measure(IN / request.model.file, dataset.samples(0, heat_map.MOMENTS), here)


CALL = Call("sensitivity", Request, HeatMap, work)


def ask(bench: "Bench", model: Model, data: Data) -> HeatMap:
    """Return the heat map of a model on some data."""
    request, blobs = Request(opened(bench, model), samples(data)), files(bench, model, data)
    with bench.call(CALL, request, blobs, "light", progress=bench.tools.progress) as done:
        return done.value
