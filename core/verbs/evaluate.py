"""Measure a model on labelled data, alone or against the model that it came from."""

from core.calls import evaluate, figures, inspect, likely, probe
from core.calls.bench import Bench
from core.converters import CONVERTERS
from core.domain.errors import Refused, from_trouble
from core.domain.evaluation import Against, EvaluateRequest, Evaluation
from core.domain.integer_products import Sums
from core.domain.metric import Figure
from core.domain.report import Parity, Quality
from core.domain.transform import Tolerance
from core.domain.work import Data, Golden, Model, Subject
from core.formats import FORMATS
from core.jobs.verb import Verb
from core.memory.store import Store
from core.sandbox.tools import Tools
from core.verbs import allowed_loss, every_processor
from core.verbs.transform import check_consent, loosest, prove

Figures = tuple[Figure, ...]
LOGITS = "Log loss and calibration error take scores that do not add up to 1 for logits."
UNDECLARED = Tolerance(absolute=1e-4, relative=1e-4)
"""For a pair that no converter of ours makes: what float32 runtimes differ by on the same graph, with room."""


def run(tools: Tools, request: EvaluateRequest) -> Evaluation:
    """Evaluate a model, and compare it with another if one is given; quality is None without labelled data.

    Raises Refused when there is neither data nor a model to compare with, or labels and answers do not meet.
    """
    model, data = request.subject.model, request.data
    if data is None and request.against is None:
        raise Refused(
            "There is nothing to measure this model with.", "Add a labelled data set, or a model to compare with."
        )
    check_consent(model, request.subject.consent)
    bench = Bench(tools)
    if request.against is not None:
        quality, against, read, after, before = compare(bench, model, request.against, data, request.max_drop)
        return Evaluation(quality, against, data, bench.cost.seconds, bench.cost.peak_rss_mb, read, after, before)
    tools.progress(0.1, "Measuring the model on the data")
    more = figures.ask(bench, model, data) if data else ()
    found = evaluate.ask(bench, model, data) if data else None
    if found and found.unmet:
        raise from_trouble(found.unmet)
    read = (found.remarks if found else ()) + told(more)
    if data and data.raw:
        tools.progress(0.6, "Trying other ways to prepare the samples")
        better = likely.ask(bench, model, data)
        read += (f"{better.sentence} Is that how they were prepared in training?",) if better else ()
    return Evaluation(found, None, data, bench.cost.seconds, bench.cost.peak_rss_mb, read, more)


def compare(
    bench: Bench, model: Model, other: Subject, data: Data | None, allowed: float
) -> tuple[Quality | None, Against, tuple[str, ...], Figures, Figures]:
    """Prove the model against the one that it claims to equal, on the same probes and the same data; say how that was read, and the figures of both."""
    source = other.model
    check_consent(source, other.consent)
    bench.tools.progress(0.1, "Recording the answers of the model to compare with")
    golden = probe.ask(bench, source, data, sums=Sums.EXACT)
    labelled = evaluate.as_read(data, golden) if golden.evidence.labelled else None
    before = figures.ask(bench, source, labelled) if labelled else ()
    bench.tools.progress(0.5, "Comparing in a fresh process")
    parity = proof(bench, model, source, golden)
    bench.tools.progress(0.8, "Measuring both on the data")
    if labelled is None:
        return None, Against(None, parity, golden.sha256), golden.evidence.data, (), ()
    after = figures.ask(bench, model, labelled)
    measured = evaluate.both(bench, source, model, labelled)
    both = allowed_loss.added(measured, labelled, allowed) or measured
    against = Against(both.before, parity, golden.sha256, both.loss, both.kept)
    return both.after, against, both.before.remarks + told(after), after, before


def told(found: Figures) -> tuple[str, ...]:
    """Say how scores were read by the metrics that take probabilities."""
    return (LOGITS,) if {one.id for one in found} & {"log_loss", "calibration_error"} else ()


def proof(bench: Bench, model: Model, source: Model, golden: Golden) -> Parity:
    """Return whether a model answers as another did, whose sums of integers were recorded exactly, on every processor."""
    parity = prove(bench, source, source, model, golden, declared_tolerance(source.format, model.format))
    if model.format not in every_processor.TELLING:
        return parity
    (found,) = inspect.audit(bench, [model], "model" + FORMATS[model.format].suffixes[0])
    return every_processor.judged(bench, source, model, found.summary, golden, parity)


def declared_tolerance(source: str, target: str) -> Tolerance:
    """Return the tolerance of the converter between the two formats, or the undeclared one."""
    found = [c.tolerance for c in CONVERTERS if (c.source, c.target) == (source, target)]
    return loosest(found[0], found[-1]) if found else UNDECLARED


def record(store: Store, visitor: str, request: EvaluateRequest, result: Evaluation, job: str) -> str | None:
    """Write what was measured beside the model."""
    artifact = request.subject.owned
    against = request.against.artifact if request.against else None
    blobs = [result.against.golden] if result.against else []
    store.add_report(visitor, artifact, "evaluation", result, against=against, blobs=blobs, job=job)
    return artifact


def title(request: EvaluateRequest) -> str:
    """Name the job for the list of jobs."""
    other, name = request.against, request.subject.name
    return f"Compare {name} with {other.name}" if other else f"Evaluate {name}"


def place(request: EvaluateRequest) -> str | None:
    """Return the model on whose page it was asked."""
    return request.page or request.subject.artifact


VERB = Verb(
    "evaluate", EvaluateRequest, Evaluation, run, record, title, page="convert.py", place=place, command="evaluate"
)
