"""Recognise a file, audit it and read what it says, as if a stranger had uploaded it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.calls.call import IN, OUT, Call, Here
from core.calls.opening import unsafe_here
from core.domain.codec import decode
from core.domain.errors import Refused, Trouble, from_trouble
from core.domain.format import Risk, Summary
from core.domain.ingestion import Ingested
from core.domain.integer_products import Integers
from core.domain.landmarks import Landmarks
from core.domain.limits import READING, READING_BOTH
from core.domain.work import Model
from core.formats import FORMATS, recognise
from core.runtimes import cannot_run, runtime_for

if TYPE_CHECKING:
    from core.calls.bench import Bench
    from core.sandbox.watch import Progress

SOURCE = "source"
SEVERAL = "graph{}.onnx"


@dataclass(frozen=True)
class Request:
    """The keys of the files, the name that their owner gave them, and whether to say where the models change their behaviour."""

    files: tuple[str, ...]
    name: str
    landmarks: bool = False
    source: str = ""
    """The format of the model that the first file was made from, which is read as ``source``."""


@dataclass(frozen=True)
class Inspected:
    """What the audit and the reader found: ``trouble`` where the file is refused, else the summary, and whether it has a graph."""

    format: str
    title: str
    trouble: Trouble | None
    risks: tuple[Risk, ...]
    summary: Summary | None
    graph: bool
    landmarks: Landmarks | None = None


@dataclass(frozen=True)
class Answer:
    """What was found in each file; the graphs are in ``out/graph0.onnx``, ``out/graph1.onnx`` ..."""

    found: tuple[Inspected, ...]
    source: Summary | None = None


def work(request: Request, here: Here) -> Answer:
    """Inspect each file. Raises Refused for one of no known format; an audit that refuses is an answer."""
    paths = enumerate(IN / file for file in request.files)
    found = tuple(inspected(path, request.name, OUT / SEVERAL.format(place), here) for place, path in paths)
    told = FORMATS[request.source].inspect(IN / SOURCE) if request.source else None
    return Answer(tuple(map(marked, found, request.files)) if request.landmarks else found, told)


def marked(found: Inspected, file: str) -> Inspected:
    """Add where the model changes its behaviour, if it was found good and an engine is here that can say."""
    if found.trouble or cannot_run(found.format):
        return found
    return replace(found, landmarks=runtime_for(found.format).landmarks(IN / file, found.format))


def inspected(path: Path, name: str, graph: Path, here: Here) -> Inspected:
    """Recognise, audit and read one file, and write its ``graph`` where the format has one."""
    format = recognise(path, name)
    risks = format.audit(path)
    if trouble := refusal(risks) or unsafe_here(format, here):
        return Inspected(format.id, format.title, trouble, risks, None, False)
    here(0.5, "Reading the file")
    read = format.inspect(path)
    risks = (*risks, *integer_risks(read))
    summary = replace(read, risks=risks)
    return Inspected(format.id, format.title, None, risks, summary, format.graph(path, graph))


def integer_risks(summary: Summary) -> tuple[Risk, ...]:
    """Return what this processor makes of the integers of a file, where that depends on the processor."""
    if not summary.notes.get("integers"):
        return ()
    from core.onnx import saturation

    risk = saturation.warned(decode(Integers, summary.notes["integers"]))
    return (risk,) if risk else ()


def refusal(risks: tuple[Risk, ...]) -> Trouble | None:
    """Return the audit's reasons to refuse a file as one trouble, or None when there are none."""
    refused = [risk for risk in risks if risk.level == "refuse"][:3]
    if not refused:
        return None
    reasons = [risk.what + (f" ({risk.where})" if risk.where else "") for risk in refused]
    steps = dict.fromkeys(risk.next_step for risk in refused if risk.next_step)
    return Trouble(Refused.kind, " ".join(reasons), " ".join(steps) or "Export the model again, or ask its author to.")


CALL = Call("inspect", Request, Answer, work)


def ask(bench: "Bench", sha256: str, name: str, progress: "Progress | None" = None) -> Ingested:
    """Inspect a stored blob that its owner calls ``name``. Raises Refused with the audit's words."""
    request, told = Request(("model",), name), progress or bench.tools.progress
    with bench.call(CALL, request, {"model": sha256}, "light", READING, told) as done:
        return kept(bench, done.value.found[0], done.folder / SEVERAL.format(0))


def audit(bench: "Bench", models: Sequence[Model], name: str) -> list[Ingested]:
    """Inspect what children returned, all in one child. Raises Refused for a file of another format than it should be."""
    keys = tuple(f"model{place}" for place in range(len(models)))
    blobs = {key: model.sha256 for key, model in zip(keys, models, strict=True)}
    with bench.call(CALL, Request(keys, name), blobs, "light", READING) as done:
        pairs = enumerate(zip(done.value.found, models, strict=True))
        return [of(bench, model, found, done.folder / SEVERAL.format(place)) for place, (found, model) in pairs]


@dataclass(frozen=True)
class Result:
    """What a converter's file says, where its graph changes what it does, and what the source says where it was asked too."""

    ingested: Ingested
    landmarks: Landmarks
    source: Summary | None


def result(bench: "Bench", model: Model, name: str, source: Model | None) -> Result:
    """Inspect what a converter returned, and its ``source`` beside it. Raises Refused as ``audit`` does."""
    request = Request(("model",), name, landmarks=True, source=source.format if source else "")
    blobs = {"model": model.sha256, **({SOURCE: source.sha256} if source else {})}
    with bench.call(CALL, request, blobs, "light", READING_BOTH if source else READING) as done:
        (found,) = done.value.found
        ingested = of(bench, model, found, done.folder / SEVERAL.format(0))
        return Result(ingested, found.landmarks or Landmarks(), done.value.source)


def of(bench: "Bench", model: Model, found: Inspected, graph: Path) -> Ingested:
    """Return what was found of a model that we know the format of. Raises Refused where it reads as another."""
    ingested = kept(bench, found, graph)
    if ingested.format != model.format:
        raise Refused(f"The converter wrote a file that is recognised as {ingested.title}.", "Please report this file.")
    return ingested


def kept(bench: "Bench", found: Inspected, graph: Path) -> Ingested:
    """Keep the graph of a file that was found good. Raises Refused."""
    if found.trouble or found.summary is None:
        raise from_trouble(found.trouble or Trouble(Refused.kind, "The file says nothing of itself.", ""))
    drawn = bench.keep(graph).sha256 if found.graph else None
    return Ingested(found.format, found.title, found.summary, drawn)
