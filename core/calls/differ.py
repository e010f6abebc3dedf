"""Name what differs between the graphs of two files."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, Call, Here
from core.calls.correspond import MOST
from core.domain.difference import Difference
from core.domain.work import Model
from core.formats import FORMATS

if TYPE_CHECKING:
    from core.calls.bench import Bench

BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class Request:
    """The formats of the two files."""

    before: str
    after: str


def work(request: Request, here: Here) -> Difference:
    """Read both graphs; neither is run."""
    from core.onnx import files
    from core.proof.structure.difference import difference

    before, after = FORMATS[request.before], FORMATS[request.after]
    with before.as_onnx(IN / BEFORE) as one, after.as_onnx(IN / AFTER) as other:
        return difference(files.load(one), files.load(other))


CALL = Call("differ", Request, Difference, work)


def ask(bench: "Bench", before: Model, after: Model) -> Difference | None:
    """Compare once; None where one of the two cannot be read as ONNX, or they do not fit beside each other."""
    if not all(FORMATS[one.format].lists_operators for one in (before, after)) or before.size + after.size > MOST:
        return None
    return bench.once(("differ", before, after), lambda: _ask(bench, before, after))


def _ask(bench: "Bench", before: Model, after: Model) -> Difference:
    blobs = {BEFORE: before.sha256, AFTER: after.sha256}
    with bench.call(CALL, Request(before.format, after.format), blobs, "light") as done:
        return done.value
