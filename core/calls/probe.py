"""Record the source's answers on seeded inputs, edge inputs and the user's data."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import OUT, SEED, Call, Here
from core.calls.opening import Opened, Samples, dataset_of, files, opened, samples, summing
from core.domain.integer_products import Sums
from core.domain.work import Data, Golden, Model, Recording
from core.runtimes import runtime_for

if TYPE_CHECKING:
    from core.calls.bench import Bench


@dataclass(frozen=True)
class Request:
    """The model, the data, the seed, input shapes that the file does not say, and how integers are added."""

    model: Opened
    data: Samples | None
    seed: int
    shapes: str
    sums: Sums = Sums.AS_RUN


def work(request: Request, here: Here) -> Recording:
    """Run the source, and keep inputs and answers in ``out/golden.npz`` and ``out/golden.bin``."""
    from core.libraries.torch import torchscripts
    from core.proof import probes

    session = summing(request.model, request.sums, here)
    dataset = dataset_of(request.data, session)
    cases = probes.record(session, request.seed, dataset, OUT / "golden.npz", request.shapes)
    labelled = dataset is not None and dataset.labels is not None
    shapes = torchscripts.shapes_text(session.signature.inputs)
    notes = () if dataset is None else dataset.notes
    return Recording(tuple(cases), session.signature, probes.versions(), labelled, shapes, notes, session.columns)


CALL = Call("probe", Request, Recording, work)


def ask(bench: "Bench", source: Model, data: Data | None, shapes: str = "", sums: Sums = Sums.AS_RUN) -> Golden:
    """Record once; ``shapes`` says what the file does not, ``sums`` how integers are added."""
    return bench.once(("probe", source, data, shapes, sums), lambda: _ask(bench, source, data, shapes, sums))


def _ask(bench: "Bench", source: Model, data: Data | None, shapes: str, sums: Sums) -> Golden:
    request, blobs = Request(opened(bench, source), samples(data), SEED, shapes, sums), files(bench, source, data)
    with bench.call(CALL, request, blobs, runtime_for(source.format).kind) as done:
        answers, plain = (bench.keep(done.folder / f"golden.{suffix}") for suffix in ("npz", "bin"))
        return Golden(answers.sha256, done.value, plain.sha256)
