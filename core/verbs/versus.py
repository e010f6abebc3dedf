"""Set a model beside another: its time in pairs, its memory, its answers and its graph, and hold it to bounds if any are given."""

from core.calls import differ, footprint, macs, operators, probe, race
from core.calls.bench import Bench
from core.domain.errors import Refused
from core.domain.gate import RUNS, Gate
from core.domain.integer_products import Sums
from core.domain.measures import Memory
from core.domain.versus import KindTime, Versus, VersusRequest, by_kind
from core.domain.work import Golden, Model
from core.jobs.verb import Verb
from core.memory.store import Store
from core.runtimes import runtime_for
from core.sandbox.tools import Tools
from core.verbs import evaluate
from core.verbs.profile import MOST_SAMPLES, MOST_THREADS
from core.verbs.transform import check_consent

SECONDS, GATE_SECONDS = 8.0, 20.0
"""How long the two are timed, and how long where a bound hangs on it."""


def normal(request: VersusRequest) -> VersusRequest:
    """Return the request as it is. Raises Refused where a setting is out of bounds, or nothing here runs one of the two."""
    if not 1 <= request.batch <= MOST_SAMPLES:
        raise Refused(f"{request.batch} samples a call are out of bounds.", f"Choose 1 to {MOST_SAMPLES:,}.")
    if not all(1 <= threads <= MOST_THREADS for threads in request.threads):
        raise Refused(f"{max(request.threads)} threads are out of bounds.", f"Choose 1 to {MOST_THREADS}.")
    for one in (request.subject, request.against):
        runtime_for(one.format)
    return request


def run(tools: Tools, request: VersusRequest) -> Versus:
    """Compare two models. Raises Refused where no runtime here opens one, or they do not take the same inputs."""
    return on(Bench(tools), request)


def on(bench: Bench, request: VersusRequest) -> Versus:
    """Compare on a given bench; see ``run``."""
    request, tell = normal(request), bench.tools.progress
    new, old = request.subject.model, request.against.model
    for subject in (request.subject, request.against):
        check_consent(subject.model, subject.consent)
    tell(0.05, "Recording the answers of the model to compare with")
    golden = probe.ask(bench, old, request.data, sums=Sums.EXACT)
    tell(0.15, "Comparing the answers")
    parity = evaluate.proof(bench, new, old, golden)
    tell(0.25, "Comparing the graphs")
    difference = differ.ask(bench, old, new)
    tell(0.3, "Timing both in turns")
    seconds = GATE_SECONDS if request.bounds else SECONDS
    timed = race.ask(bench, old, new, golden, request.batch, seconds, request.threads)
    tell(0.7, "Measuring the memory of both in fresh processes")
    runs = RUNS if request.bounds and request.bounds.memory is not None else None
    before, after = (footprint.ask(bench, one, golden, request.batch, runs) for one in (old, new))
    kinds = traced(bench, old, new, golden, timed.batch) if request.threads == (1, 1) else ()
    return Versus(
        model=request.subject.named,
        against=request.against.named,
        race=timed,
        memory=Memory(before, after),
        parity=parity,
        difference=difference,
        gate=Gate.of(request.bounds, timed, before, after) if request.bounds else None,
        data=request.data,
        seconds=bench.cost.seconds,
        threads=request.threads,
        kinds=kinds,
    )


def traced(bench: Bench, old: Model, new: Model, golden: Golden, batch: int) -> tuple[KindTime, ...]:
    """Trace the operators of both, where ONNX Runtime serves both and they are not one file."""
    if old == new or not {old.format, new.format} <= set(macs.FORMATS):
        return ()
    bench.tools.progress(0.9, "Tracing the operators of both")
    before, after = (operators.ask(bench, one, golden, batch)[0] for one in (old, new))
    return by_kind(before, after)


def record(store: Store, visitor: str, request: VersusRequest, result: Versus, job: str) -> str | None:
    """Write what was found beside the new model."""
    artifact = request.subject.owned
    store.add_report(visitor, artifact, "versus", result, against=request.against.artifact, job=job)
    return artifact


def title(request: VersusRequest) -> str:
    """Name the job for the list of jobs."""
    return f"Compare {request.subject.name} with {request.against.name}"


VERB = Verb("versus", VersusRequest, Versus, run, record, title, page="profile.py", normal=normal, command="profile")
