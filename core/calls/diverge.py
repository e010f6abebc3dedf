"""Name the first operator where two files part."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, Call, Here
from core.calls.opening import file_key, must_be_safe
from core.domain.errors import Cancelled, PortolanError
from core.domain.work import Golden, Model
from core.proof.traces import TRACES
from core.runtimes import child_kind

if TYPE_CHECKING:
    from core.calls.bench import Bench

GOLDEN = "golden.npz"


@dataclass(frozen=True)
class Request:
    """The keys and formats of source and target."""

    source: str
    target: str
    formats: tuple[str, str]


@dataclass(frozen=True)
class Answer:
    """The operator, None where the two do not part."""

    operator: str | None


def work(request: Request, here: Here) -> Answer:
    """Compare the values between operators that both name."""
    from core.proof import divergence

    for format in request.formats:
        must_be_safe(format, here)
    source, target = IN / request.source, IN / request.target
    return Answer(divergence.first(source, target, IN / GOLDEN, *request.formats))


CALL = Call("diverge", Request, Answer, work)


def traced(source: str, target: str) -> bool:
    """Say whether values between operators can be had of both formats; a file in torch's format can only be the source."""
    return source in TRACES and target in TRACES and target != "torch_export"


def ask(bench: "Bench", source: Model, target: Model, golden: Golden) -> str | None:
    """Return the operator; None where intermediate values cannot be had of both."""
    if not traced(source.format, target.format):
        return None
    keys = "source" + file_key(source.format), "target" + file_key(target.format)
    blobs = {keys[0]: source.sha256, keys[1]: target.sha256, GOLDEN: golden.sha256}
    request = Request(*keys, (source.format, target.format))
    try:
        with bench.call(CALL, request, blobs, child_kind(source.format)) as done:
            return done.value.operator
    except Cancelled:
        raise
    except PortolanError:
        return None
