"""Record the source's answers on seeded inputs, edge inputs and the user's data."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, OUT, SEED, Call, Here
from core.calls.opening import Opened, Samples, dataset_of, files, opened, runtime_of, samples, summing
from core.domain.integer_products import Sums
from core.domain.landmarks import Landmarks
from core.domain.work import Data, Golden, Model, Recording
from core.runtimes import runtime_for

if TYPE_CHECKING:
    from core.calls.bench import Bench


@dataclass(frozen=True)
class Request:
    """The model, the data, the seed, input shapes that the file does not say, how integers are added, and what alone is to be tried if not all is."""

    model: Opened
    data: Samples | None
    seed: int
    shapes: str
    sums: Sums = Sums.AS_RUN
    beyond: Landmarks | None = None


def work(request: Request, here: Here) -> Recording:
    """Run the source, and keep inputs and answers in ``out/golden.npz`` and ``out/golden.bin``."""
    from core.libraries.torch import torchscripts
    from core.proof import directed, probes
    from core.proof.pictures import Pictures

    session = summing(request.model, request.sums, here)
    dataset = dataset_of(request.data, session)
    out = OUT / "golden.npz"
    if request.beyond is not None:
        landmarks = request.beyond
        cases = probes.record_beyond(session, request.seed, out, request.shapes, landmarks)
    else:
        told = runtime_of(request.model, here).landmarks(IN / request.model.file, request.model.format)
        cases = probes.record(session, request.seed, dataset, out, request.shapes, told)
        landmarks = told.joined(directed.known(session))
    labelled = dataset is not None and dataset.labels is not None
    shapes = torchscripts.shapes_text(session.signature.inputs)
    notes, versions = () if dataset is None else dataset.notes, probes.versions()
    task = dataset.task if isinstance(dataset, Pictures) else None
    columns = session.columns
    return Recording(tuple(cases), session.signature, versions, labelled, shapes, landmarks, notes, columns, task)


CALL = Call("probe", Request, Recording, work)


def ask(bench: "Bench", source: Model, data: Data | None, shapes: str = "", sums: Sums = Sums.AS_RUN) -> Golden:
    """Record once; ``shapes`` says what the file does not, ``sums`` how integers are added."""
    request = Request(opened(bench, source), samples(data), SEED, shapes, sums)
    return bench.once(("probe", source, data, shapes, sums), lambda: _ask(bench, source, data, request))


def ask_beyond(bench: "Bench", source: Model, golden: Golden, beyond: Landmarks) -> Golden:
    """Record what the source answers where a result changes its behaviour and the source does not. Raises Refused where it answers nothing there."""
    request = Request(opened(bench, source), None, SEED, golden.evidence.shapes, Sums.EXACT, beyond)
    return _ask(bench, source, None, request)


def _ask(bench: "Bench", source: Model, data: Data | None, request: Request) -> Golden:
    blobs = files(bench, source, data)
    with bench.call(CALL, request, blobs, runtime_for(source.format).kind) as done:
        answers, plain = (bench.keep(done.folder / f"golden.{suffix}") for suffix in ("npz", "bin"))
        return Golden(answers.sha256, done.value, plain.sha256)
