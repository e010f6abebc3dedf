"""Reckon the memory that one step of training takes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, Call, Here
from core.calls.opening import Opened, files, must_be_safe, opened
from core.domain.training_cost import Training
from core.domain.work import Golden, Model

if TYPE_CHECKING:
    from core.calls.bench import Bench

GOLDEN = "golden.npz"


@dataclass(frozen=True)
class Request:
    """The model."""

    model: Opened


@dataclass(frozen=True)
class Answer:
    """The bytes of all weights and of those that can be trained, what a step saves by batch size, and whether real steps were made."""

    weights: int
    trainable: int
    batches: tuple[int, ...]
    saved: tuple[int, ...]
    measured: bool


def work(request: Request, here: Here) -> Answer:
    """Load the model for training, and reckon on recorded inputs."""
    from core.proof import golden, training_cost

    one = request.model
    must_be_safe(one.format, here)
    model = training_cost.trainable(IN / one.file, one.format, one.given)
    found = training_cost.training(model, golden.read(IN / GOLDEN))
    return Answer(found.weights, found.trainable, found.batches, found.saved, found.measured)


CALL = Call("training_cost", Request, Answer, work)


def ask(bench: "Bench", model: Model, golden: Golden) -> Training:
    """Reckon once."""
    return bench.once(("training_cost", model, golden.sha256), lambda: _ask(bench, model, golden))


def _ask(bench: "Bench", model: Model, golden: Golden) -> Training:
    blobs = {**files(bench, model), GOLDEN: golden.sha256}
    with bench.call(CALL, Request(opened(bench, model)), blobs, "torch") as done:
        found = done.value
    return Training(found.weights, found.trainable, found.batches, found.saved, found.measured)
