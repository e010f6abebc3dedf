"""Replay recorded inputs on a file in a fresh process, and judge its answers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, SEED, Call, Here
from core.calls.float64 import FLOAT64
from core.calls.opening import Opened, files, opened, summing
from core.domain.integer_products import Sums
from core.domain.report import Parity, Verdict
from core.domain.transform import Tolerance
from core.domain.work import Golden, Model
from core.runtimes import cannot_run, runtime_for

if TYPE_CHECKING:
    from core.calls.bench import Bench

GOLDEN = "golden.npz"


@dataclass(frozen=True)
class Request:
    """The model, the tolerance, the seed of the recording, and how integers are added."""

    model: Opened
    tolerance: Tolerance
    seed: int
    sums: Sums = Sums.AS_RUN


def work(request: Request, here: Here) -> Parity:
    """Compare with what was recorded."""
    from core.proof import parity, rounding

    exact = rounding.read(IN / FLOAT64) if (IN / FLOAT64).exists() else None
    session = summing(request.model, request.sums, here)
    return parity.compare(session, IN / GOLDEN, request.tolerance, request.seed, exact)


CALL = Call("compare", Request, Parity, work)


def ask(bench: "Bench", target: Model, golden: Golden, tolerance: Tolerance, sums: Sums = Sums.AS_RUN) -> Parity:
    """Compare once; NOT PROVEN where nothing here can run the file."""
    key = ("compare", target, golden.sha256, tolerance, sums)
    return bench.once(key, lambda: _ask(bench, target, golden, tolerance, sums, {}))


def ask_beside(bench: "Bench", target: Model, golden: Golden, tolerance: Tolerance, exact: str) -> Parity:
    """Compare with the recorded answers, beside those of the source in float64, which ``exact`` names by their SHA-256."""
    return _ask(bench, target, golden, tolerance, Sums.EXACT, {FLOAT64: exact})


def _ask(
    bench: "Bench", target: Model, golden: Golden, tolerance: Tolerance, sums: Sums, beside: dict[str, str]
) -> Parity:
    if reason := cannot_run(target.format):
        words = f"Written, but it cannot run on this machine: {reason}"
        return Parity(Verdict.NOT_PROVEN, (), tolerance, SEED, reason=words)
    blobs = {**files(bench, target), GOLDEN: golden.sha256, **beside}
    request = Request(opened(bench, target), tolerance, SEED, sums)
    with bench.call(CALL, request, blobs, runtime_for(target.format).kind) as done:
        return done.value
