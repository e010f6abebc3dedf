"""Reckon the memory that a model takes to train, for any batch size and optimizer."""

from dataclasses import replace

from core.calls import probe, training_cost
from core.calls.bench import Bench
from core.domain.errors import Refused
from core.domain.training_cost import FORMATS, Training, TrainingRequest
from core.formats import FORMATS as KINDS
from core.jobs.verb import Verb
from core.memory.store import Store
from core.sandbox.tools import Tools
from core.verbs.convert import along
from core.verbs.transform import check_code, check_consent


def normal(request: TrainingRequest) -> TrainingRequest:
    """Return the request as it is. Raises Refused for a format that cannot be trained here."""
    if request.subject.format not in FORMATS:
        raise Refused(
            f"How much memory {KINDS[request.subject.format].title} takes to train cannot be estimated.",
            f"It can for {', '.join(KINDS[name].title for name in FORMATS)}.",
        )
    return request


def run(tools: Tools, request: TrainingRequest) -> Training:
    """Reckon for a model. Raises Refused where it cannot be trained."""
    return on(Bench(tools), request)


def on(bench: Bench, request: TrainingRequest) -> Training:
    """Reckon on a given bench; see ``run``."""
    request, model = normal(request), request.subject.model
    check_consent(model, request.subject.consent)
    check_code(request.code, request.subject.consent)
    if request.options or request.code:
        bench.openings[model.sha256] = along(request.options, request.code)
    bench.tools.progress(0.1, "Making inputs")
    golden = probe.ask(bench, model, request.data, str(request.options.get("shapes", "")))
    bench.tools.progress(0.5, "Estimating a step of training")
    found = training_cost.ask(bench, model, golden)
    return replace(found, data=request.data, seconds=bench.cost.seconds)


def record(store: Store, visitor: str, request: TrainingRequest, result: Training, job: str) -> str | None:
    """Write what was reckoned beside the model."""
    store.add_report(visitor, request.subject.owned, "training", result, job=job)
    return request.subject.artifact


def title(request: TrainingRequest) -> str:
    """Name the job for the list of jobs."""
    return f"Training of {request.subject.name}"


VERB = Verb(
    "training", TrainingRequest, Training, run, record, title, page="profile.py", normal=normal, command="profile"
)
