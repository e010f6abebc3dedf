"""Try one candidate of a search: a row of techniques applied and scored, all in one child."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.calls.call import IN, OUT, Call, Here
from core.calls.opening import (
    Opened,
    Samples,
    dataset_of,
    files,
    opened,
    required,
    runtime_of,
    samples,
    session_of,
)
from core.domain.errors import Refused
from core.domain.limits import WORKING, Limits
from core.domain.recipe import Step
from core.domain.tuning import Score
from core.domain.work import Attempt, Lessons, Model, Trial

if TYPE_CHECKING:
    from core.calls.bench import Bench

ANSWERS = "answers.npz"


@dataclass(frozen=True)
class Request:
    """The model, the steps that must run and those behind them that do where they gain, the data with the names of its two parts; within ``packs`` the result is also packed."""

    model: Opened
    data: Samples | None
    learns: str
    scores: str
    steps: tuple[Step, ...]
    after: tuple[Step, ...]
    packs: float | None


@dataclass(frozen=True)
class Answer:
    """The steps that ran, the score of the last result, and its bytes when it is packed."""

    ran: tuple[Step, ...]
    score: Score
    travel: int | None


def work(request: Request, here: Here) -> Answer:
    """Apply the steps in a row and score the last result; ``out/0.onnx``, ``out/1.onnx`` ... are what each wrote."""
    from core.proof import attempts

    whole = required(dataset_of(request.data, session_of(request.model, here)))
    expected = attempts.read_answers(IN / ANSWERS)
    source = IN / request.model.file
    material = attempts.Material(source, whole.half(request.learns), whole.half(request.scores), expected)
    ran = attempts.run(material, request.steps, request.after, OUT, here)
    last = OUT / f"{len(ran) - 1}.onnx"
    score = attempts.score(material, runtime_of(request.model, here).open_with(last, request.model.format, {}))
    packs = request.packs is not None and score.loss.within(request.packs)
    return Answer(tuple(ran), score, packed_size(last) if packs else None)


def packed_size(path: Path) -> int | None:
    """Return the bytes of a file when it is packed; None where it is too large for that, or does not come back."""
    from core.shrink import pack

    try:
        return len(pack.packed(path.read_bytes())) if path.stat().st_size <= pack.LARGEST else None
    except Refused:
        return None


CALL = Call("attempt", Request, Answer, work)


def ask(
    bench: "Bench", source: Model, trial: Trial, lessons: Lessons, packs: bool, limits: Limits = WORKING
) -> Attempt:
    """Try a candidate; what it wrote is kept where the loss is within what is allowed."""
    parts = (lessons.learns, lessons.scores, trial.steps, trial.after, lessons.allowed if packs else None)
    request = Request(opened(bench, source), samples(lessons.data), *parts)
    blobs = {**files(bench, source, lessons.data), ANSWERS: lessons.answers}
    with bench.call(CALL, request, blobs, trial.kind, limits, bench.tools.progress) as done:
        ran, score = done.value.ran, done.value.score
        made = [done.folder / f"{number}.onnx" for number in range(len(ran))]
        kept = [bench.keep(path) for path in made] if score.loss.within(lessons.allowed) else []
        models = tuple(Model(blob.sha256, blob.size, source.format) for blob in kept)
        return Attempt(ran, models, made[-1].stat().st_size, score, done.value.travel)
