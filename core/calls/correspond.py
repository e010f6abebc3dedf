"""Look for the weights and the operators of a source in what was made from it."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.calls.call import IN, Call, Here
from core.domain.correspondence import Correspondence, Operators
from core.domain.format import Format
from core.domain.work import Model
from core.formats import FORMATS

if TYPE_CHECKING:
    from core.calls.bench import Bench

SOURCE, RESULT = "source", "result"
MOST = 1 << 30
"""Bytes of two files whose graphs are set beside each other, which takes both in memory."""


@dataclass(frozen=True)
class Request:
    """The formats of the two files."""

    source: str
    result: str


def work(request: Request, here: Here) -> Correspondence:
    """Compare what the files store; neither is run."""
    from core.proof import correspondence

    source, result = FORMATS[request.source], FORMATS[request.result]
    found = correspondence.correspondence(lambda: source.tensors(IN / SOURCE), lambda: result.tensors(IN / RESULT))
    return replace(found, operators=_operators(source, result))


def _operators(source: Format, result: Format) -> Operators | None:
    """Compare the graphs where both can be read as ONNX and fit beside each other."""
    from core.onnx import files
    from core.proof import network

    places = (IN / SOURCE, IN / RESULT)
    if not (source.lists_operators and result.lists_operators) or sum(p.stat().st_size for p in places) > MOST:
        return None
    with source.as_onnx(places[0]) as one, result.as_onnx(places[1]) as other:
        return network.operators(files.load(one), files.load(other))


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
