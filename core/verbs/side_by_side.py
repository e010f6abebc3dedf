"""Run one model in every runtime that can have it: its file, its conversions, and those made on the way, with time in pairs and the proof of answers."""

from collections.abc import Iterator
from dataclasses import replace
from statistics import median

from core.calls import footprint, probe, race
from core.calls.bench import Bench
from core.converters import targets
from core.domain.errors import Cancelled, PortolanError, Refused
from core.domain.integer_products import Sums
from core.domain.portability import PortabilityRequest, Standing
from core.domain.report import Parity
from core.domain.side_by_side import SideBySide, SideBySideRequest, Way
from core.domain.work import Golden, Model, NamedModel
from core.formats import FORMATS
from core.jobs.verb import Verb
from core.memory.store import Store
from core.runtimes import cannot_run, runtime_for
from core.sandbox.tools import Tools
from core.verbs import convert, evaluate, portability
from core.verbs.profile import MOST_SAMPLES
from core.verbs.transform import check_consent

SECONDS = 6.0
"""How long each way is timed in turns with the file."""


def reachable(format: str) -> tuple[str, ...]:
    """Return the formats to which a model of this one can be converted here, and that something here runs, nearest first."""
    ready = (target for target in targets(format) if portability.planned(format, target).standing is Standing.WAITING)
    return tuple(target for target in ready if target != format and not cannot_run(target))


def normal(request: SideBySideRequest) -> SideBySideRequest:
    """Return the request as it is. Raises Refused where the batch is out of bounds, nothing here runs the model, or a format is off the table."""
    if not 1 <= request.batch <= MOST_SAMPLES:
        raise Refused(f"{request.batch} samples a call are out of bounds.", f"Choose 1 to {MOST_SAMPLES:,}.")
    for one in (request.subject, *request.others):
        runtime_for(one.format)
    offered = reachable(request.subject.format)
    if unknown := sorted(set(request.formats) - set(offered)):
        words = f"Choose from: {', '.join(offered)}." if offered else "Convert it on the Convert page first."
        raise Refused(f"This model cannot be converted here to {', '.join(unknown)} and run.", words)
    return request


def run(tools: Tools, request: SideBySideRequest) -> SideBySide:
    """Set all ways beside each other. Raises Refused where no runtime here opens the file, or it answers nothing."""
    return on(Bench(tools), request)


def on(bench: Bench, request: SideBySideRequest) -> SideBySide:
    """Measure on a given bench; see ``run``."""
    request, subject, tell = normal(request), request.subject, bench.tools.progress
    for one in (subject, *request.others):
        check_consent(one.model, one.consent)
    tell(0.0, "Recording the answers of the model")
    golden = probe.ask(bench, subject.model, request.data, sums=Sums.EXACT)
    tell(0.0, f"Measuring memory in {runtime_for(subject.format).title}")
    memory = footprint.ask(bench, subject.model, golden, request.batch)
    ways, of = list[Way](), len(request.others) + len(request.formats)
    for way in offered(bench, request, golden):
        tell((len(ways) + 0.7) / max(1, of), f"{way.runtime} ({len(ways) + 1} of {of}): {way.name}")
        ways.append(measured(bench, subject.model, way, golden, request.batch))
    times = [way.race.parent.cpu_p50 for way in ways if way.race]
    return SideBySide(
        model=subject.named,
        runtime=runtime_for(subject.format).title,
        cpu=median(times) if times else None,
        memory=memory,
        ways=tuple(ways),
        batch=next((way.race.batch for way in ways if way.race), request.batch),
        data=request.data,
        seconds=bench.cost.seconds,
    )


def offered(bench: Bench, request: SideBySideRequest, golden: Golden) -> Iterator[Way]:
    """Yield each way with the proof of its answers: the files that are there, then those converted on the way."""
    subject = request.subject
    for one in request.others:
        yield proven(bench, subject.model, one.named, golden)
    asked = PortabilityRequest(subject, {}, request.data)
    attempts = [portability.planned(subject.format, target) for target in request.formats]
    search = portability.Search(bench, asked, subject.model, attempts, golden)
    for place, attempt in enumerate(attempts):
        way = Way(f"{FORMATS[attempt.target].title}, converted now", attempt.target, runtime_for(attempt.target).title)
        try:
            steps = convert.with_data_shapes(convert.plan(subject.format, attempt.target, {}), golden)
            last = search.walked(steps, golden, place)[-1]
        except Cancelled:
            raise
        except PortolanError as error:
            yield replace(way, trouble=error.message)
            continue
        if last.model.format != attempt.target:
            yield replace(way, parity=last.parity, trouble="A step on the way failed its proof, so it is not run.")
        else:
            named = NamedModel(**vars(last.model), name=convert.output_name(subject.name, last))
            yield replace(way, model=named, parity=last.parity)


def proven(bench: Bench, source: Model, other: NamedModel, golden: Golden) -> Way:
    """Return a file that is there with the proof of its answers, or why there is none."""
    way, model = (
        Way(other.name, other.format, runtime_for(other.format).title),
        Model(other.sha256, other.size, other.format),
    )
    try:
        parity: Parity = evaluate.proof(bench, model, source, golden)
    except Cancelled:
        raise
    except PortolanError as error:
        return replace(way, trouble=error.message)
    return replace(way, model=other, parity=parity)


def measured(bench: Bench, source: Model, way: Way, golden: Golden, batch: int) -> Way:
    """Time a way in turns with the file, and measure its memory; or say why that cannot be."""
    if way.model is None:
        return way
    model = Model(way.model.sha256, way.model.size, way.model.format)
    try:
        timed = race.ask(bench, source, model, golden, batch, SECONDS)
        return replace(way, race=timed, memory=footprint.ask(bench, model, golden, batch))
    except Cancelled:
        raise
    except PortolanError as error:
        return replace(way, trouble=error.message)


def record(store: Store, visitor: str, request: SideBySideRequest, result: SideBySide, job: str) -> str | None:
    """Write what was found beside the model; what was converted on the way is not kept."""
    store.add_report(visitor, request.subject.owned, "side_by_side", result, job=job)
    return request.subject.owned


def title(request: SideBySideRequest) -> str:
    """Name the job for the list of jobs."""
    return f"Run {request.subject.name} in every runtime"


VERB = Verb(
    "side_by_side",
    SideBySideRequest,
    SideBySide,
    run,
    record,
    title,
    page="profile.py",
    normal=normal,
    command="profile",
)
