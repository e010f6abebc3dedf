"""Look for the weights of a source in what was made from it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.calls.call import IN, Call, Here
from core.domain.correspondence import Correspondence
from core.domain.work import Model
from core.formats import FORMATS

if TYPE_CHECKING:
    from core.calls.bench import Bench

SOURCE, RESULT = "source", "result"


@dataclass(frozen=True)
class Request:
    """The formats of the two files."""

    source: str
    result: str


def work(request: Request, here: Here) -> Correspondence:
    """Compare what the files store; neither is run."""
    from core.proof import correspondence

    source, result = FORMATS[request.source], FORMATS[request.result]
    return correspondence.correspondence(lambda: source.tensors(IN / SOURCE), lambda: result.tensors(IN / RESULT))


CALL = Call("correspond", Request, Correspondence, work)


def ask(bench: "Bench", source: Model, result: Model) -> Correspondence | None:
    """Compare once; None where one of the formats does not list its tensors."""
    if not all(FORMATS[model.format].lists_tensors for model in (source, result)):
        return None
    return bench.once(("correspond", source, result), lambda: _ask(bench, source, result))


def _ask(bench: "Bench", source: Model, result: Model) -> Correspondence:
    blobs = {SOURCE: source.sha256, RESULT: result.sha256}
    with bench.call(CALL, Request(source.format, result.format), blobs, "light") as done:
        return done.value
