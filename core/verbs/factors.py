"""Find what the cost of a call hangs on: the size of the data, the complexity of the model, and the threads of its runtime."""

from dataclasses import replace

from core.calls import growth, inspect, probe, race
from core.calls.bench import Bench
from core.domain.errors import Cancelled, PortolanError
from core.domain.factors import Factors, FactorsRequest, Variant
from core.domain.work import Golden, NamedModel, Subject
from core.formats import FORMATS
from core.jobs.verb import Verb
from core.memory.store import Store
from core.runtimes import runtime_for
from core.sandbox.tools import Tools
from core.verbs import profile
from core.verbs.transform import check_consent

SECONDS = 4.0
"""How long each variant is timed in turns with the model."""


def normal(request: FactorsRequest) -> FactorsRequest:
    """Return the request as it is. Raises Refused where nothing here runs one of the models."""
    for one in (request.subject, *request.variants):
        runtime_for(one.format)
    return request


def run(tools: Tools, request: FactorsRequest) -> Factors:
    """Measure along every factor. Raises Refused where no runtime here opens the model, or it answers nothing."""
    return on(Bench(tools), request)


def on(bench: Bench, request: FactorsRequest) -> Factors:
    """Measure on a given bench; see ``run``."""
    request, subject, tell = normal(request), request.subject, bench.tools.progress
    for one in (subject, *request.variants):
        check_consent(one.model, one.consent)
    tell(0.02, "Making inputs")
    golden = probe.ask(bench, subject.model, request.data)
    tell(0.1, "Timing calls of growing size")
    grown = growth.ask(bench, subject.model, golden)
    variants = [described(bench, subject, golden)]
    for number, one in enumerate(request.variants):
        tell(0.5 + 0.5 * number / len(request.variants), f"Timing {one.name} in turns with {subject.name}")
        variants.append(raced(bench, subject, one, golden))
    own = next((one.race.parent.cpu_p50 for one in variants if one.race), None)
    alone = grown.axes[0].points[0].cpu if grown.axes else None
    return Factors(
        runtime=runtime_for(subject.format).title,
        grown=grown,
        variants=(replace(variants[0], cpu=own or alone), *variants[1:]),
        data=request.data,
        seconds=bench.cost.seconds,
    )


def described(bench: Bench, subject: Subject, golden: Golden) -> Variant:
    """Return what tells of the complexity of a model."""
    model = subject.model
    (found,) = inspect.audit(bench, [model], "model" + FORMATS[model.format].suffixes[0])
    macs, _ = profile.count(bench, model, golden, 1)
    named = NamedModel(model.sha256, model.size, model.format, subject.name)
    return Variant(named, found.summary.parameters, macs.ran.macs if macs else None, None)


def raced(bench: Bench, subject: Subject, other: Subject, golden: Golden) -> Variant:
    """Return a variant with its time in turns with the model, or with the reason why there is none."""
    try:
        timed = race.ask(bench, subject.model, other.model, golden, 1, SECONDS)
        variant = described(bench, other, golden)
    except Cancelled:
        raise
    except PortolanError as error:
        return Variant(other.named, None, None, None, trouble=error.message)
    return replace(variant, cpu=timed.variant.cpu_p50, race=timed)


def record(store: Store, visitor: str, request: FactorsRequest, result: Factors, job: str) -> str | None:
    """Write what was found beside the model."""
    store.add_report(visitor, request.subject.owned, "factors", result, job=job)
    return request.subject.owned


def title(request: FactorsRequest) -> str:
    """Name the job for the list of jobs."""
    return f"What the cost of {request.subject.name} hangs on"


VERB = Verb("factors", FactorsRequest, Factors, run, record, title, page="profile.py", normal=normal, command="profile")
