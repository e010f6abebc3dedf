"""Time two files against each other in one process."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, SEED, Call, Here
from core.calls.opening import Opened, opened, opener_on
from core.domain.errors import Refused, refusing
from core.domain.overhead import Race
from core.domain.runtime import Session
from core.domain.work import Golden, Model
from core.runtimes import runtime_for

if TYPE_CHECKING:
    import numpy as np

    from core.calls.bench import Bench

GOLDEN = "golden.npz"


@dataclass(frozen=True)
class Request:
    """Both files, the batch, the seconds that the race may take, and the seed of its order."""

    parent: Opened
    variant: Opened
    batch: int
    seconds: float
    seed: int
    threads: tuple[int, int] = (1, 1)
    """Those of the parent's and of the variant's engine; the wall clock counts where one of them has more than one."""


def work(request: Request, here: Here) -> Race:
    """Time the variant against the parent on recorded inputs."""
    from core.proof import golden, speed

    entrants = zip((request.parent, request.variant), request.threads, strict=True)
    parent, variant = (opener_on(one, threads, here) for one, threads in entrants)
    clock = speed.PROCESSOR if request.threads == (1, 1) else speed.WALL
    inputs, batch = golden.read(IN / GOLDEN).ordinary(request.batch)
    try_out(variant, inputs)
    return speed.race(parent, variant, inputs, batch, request.seed, request.seconds, here, clock)


def try_out(variant: Callable[[], Session], inputs: dict[str, "np.ndarray"]) -> None:
    """Ask the variant once. Raises Refused where it does not take what its parent takes."""
    from core.proof.parity import feed

    said = "The second model does not take the inputs of the first", "Compare models that take the same inputs."
    session = variant()
    with refusing(*said):
        session.run(feed(session, inputs))


CALL = Call("race", Request, Race, work)


def ask(
    bench: "Bench",
    parent: Model,
    variant: Model,
    golden: Golden,
    batch: int = 1,
    seconds: float = 20.0,
    threads: tuple[int, int] = (1, 1),
) -> Race:
    """Race once, when nobody else measures on this machine. Raises Refused for threads that an engine cannot be given apart."""
    kinds = {runtime_for(one.format).kind for one in (parent, variant)}
    if threads[0] != threads[1] and "torch" in kinds:
        raise Refused(
            "PyTorch has one number of threads for a whole process, so two cannot be timed in turns.",
            "Convert the model to ONNX and compare there.",
        )
    key = ("race", parent, variant, batch, seconds, threads)
    return bench.once(key, lambda: _ask(bench, parent, variant, golden, batch, seconds, threads))


def _ask(
    bench: "Bench", parent: Model, variant: Model, golden: Golden, batch: int, seconds: float, threads: tuple[int, int]
) -> Race:
    entrants = {one.sha256: opened(bench, one, name) for name, one in (("parent", parent), ("variant", variant))}
    request = Request(entrants[parent.sha256], entrants[variant.sha256], batch, seconds, SEED, threads)
    blobs = {entrant.file: sha256 for sha256, entrant in entrants.items()} | {GOLDEN: golden.sha256}
    blobs |= bench.opening(parent).files | bench.opening(variant).files
    kinds = {runtime_for(one.format).kind for one in (parent, variant)} - {"light"}
    with bench.alone(), bench.call(CALL, request, blobs, min(kinds, default="light")) as done:
        return done.value
