"""Assess a move: read what the model stands on, then try how far each target bears it."""

from importlib.metadata import PackageNotFoundError, version

from core.calls import convert as conversions
from core.calls import fit, inspect
from core.calls.bench import Bench
from core.domain.assessment import (
    NOT_TRIED,
    Assessment,
    AssessRequest,
    Card,
    Concern,
    Effort,
    Fit,
    Fits,
    Known,
    Needs,
    Prospect,
)
from core.domain.conversion import Conversion, ConvertRequest
from core.domain.errors import Cancelled, PortolanError, Refused
from core.domain.format import Summary
from core.domain.ingestion import Ingested
from core.domain.portability import Attempt, Standing
from core.domain.report import Verdict
from core.domain.target import Target
from core.domain.work import Model
from core.formats import FORMATS
from core.jobs.verb import Verb
from core.memory.store import Store
from core.sandbox.tools import Tools
from core.targets import TARGETS
from core.verbs import convert, exporting
from core.verbs.portability import planned
from core.verbs.transform import check_code, check_consent

GRAPH = "onnx"
KNOWN_DOMAINS = ("ai.onnx.ml", "com.microsoft", "ai.onnx.training", "ai.onnx.preview.training")
BITS = {"float64": 64, "float32": 32, "float16": 16, "bfloat16": 16, "int8": 8, "uint8": 8}
RANK = {Fits.YES: 0, Fits.PARTLY: 1, Fits.UNKNOWN: 2, Fits.NO: 3}
ORDER = {Effort.SMALL: 0, Effort.MEDIUM: 1, Effort.LARGE: 2}


def run(tools: Tools, request: AssessRequest) -> Assessment:
    """Assess a model. Raises Refused with the audit's words; a target that cannot be asked is not known."""
    bench = Bench(tools)
    tools.progress(0.02, "Reading the file, without running anything of it")
    told = inspect.ask(bench, request.subject.sha256, request.subject.name)
    graph, tried = on_graph(bench, request)
    prospects = []
    for number, target in enumerate(TARGETS):
        tools.progress(0.2 + 0.8 * number / len(TARGETS), f"Asking {target.title}")
        found = known_export(bench, request, target, told.summary.opset) or (
            fit.ask(bench, graph, target) if graph else NOT_TRIED
        )
        prospects.append(prospect(target, planned(request.subject.format, target.format), found))
    prospects.sort(key=lambda one: (one.blocked, ORDER[one.effort], RANK[one.fit.fits]))
    needed = needs(request.subject.size, told.summary)
    return Assessment(
        card(told), needed, concerns(told.summary), tuple(prospects), tried, bench.cost.seconds, request.data
    )


def on_graph(bench: Bench, request: AssessRequest) -> tuple[Model | None, str]:
    """Return the model as an ONNX graph, on which engines are asked, and in a sentence what that was; no proof is made here."""
    source = request.subject.model
    if source.format == GRAPH:
        return source, "Operators were tried on the file itself."
    try:
        check_consent(source, request.subject.consent)
        check_code(request.code, request.subject.consent)
        steps = convert.plan(source.format, GRAPH, {})
        bench.openings[source.sha256] = convert.along(steps[0][1].options, request.code)
        model = source
        for converter, step in steps:
            bench.tools.progress(0.1, f"Converting, to ask the engines: {converter.title}")
            model = conversions.ask(bench, model, converter, step.options)
    except Cancelled:
        raise
    except PortolanError as error:
        return None, f"Operators were not tried, because there is no ONNX form of this file. {error.message}"
    return model, "Operators were tried on the ONNX form of this file, which was made for that and not proven."


def known_export(bench: Bench, request: AssessRequest, target: Target, opset: int | None) -> Fit | None:
    """Return what an export that was made already says, which is better than any look at a graph; None where there is none."""
    plain = ConvertRequest(request.subject, target.format, {}, request.data, request.code)
    try:
        asked = exporting.request(request.subject, target, opset, request.data, request.code)
        normal = [convert.normal(one) for one in (asked, plain)]
    except Refused:
        return None
    found = (bench.tools.memory.known("convert", one, Conversion) for one in normal)
    done = next((one for one in found if one is not None and one.parity.verdict is Verdict.PASS), None)
    if done is None:
        return None
    samples = sum(check.samples for check in done.parity.checks)
    return Fit(Fits.YES, Known.RAN, f"Exported and proven on {samples:,} samples.")


def prospect(target: Target, way: Attempt, found: Fit) -> Prospect:
    """Judge how much work a move is, with the reason and what to do."""
    titles = tuple(FORMATS[leg.format].title for leg in way.steps)

    def is_(effort: Effort, reason: str, next_step: str = "", blocked: bool = False) -> Prospect:
        return Prospect(target.id, target.title, found, titles, effort, reason, next_step, blocked)

    if way.standing is Standing.NO_ROUTE:
        return is_(Effort.LARGE, way.reason, "Choose another target, or export the model again from its source.", True)
    if found.fits is Fits.NO and not target.falls_back:
        return is_(
            Effort.LARGE, found.detail, "Replace these operators where the model is defined, and export again.", True
        )
    if way.standing is Standing.MISSING:
        return is_(Effort.MEDIUM, way.reason, "Install the group first.", True)
    steps = "one conversion" if len(titles) == 1 else f"{len(titles)} conversions in a row"
    if found.fits is Fits.YES:
        return is_(Effort.SMALL, f"{found.detail} It takes {steps}.")
    if target.falls_back and found.fits is not Fits.UNKNOWN:
        return is_(Effort.MEDIUM, found.detail, "Measure on the device: what is left out runs on its processor.")
    return is_(Effort.MEDIUM, f"It takes {steps}. {found.detail}", "Export it: the proof says whether it works.")


def card(told: Ingested) -> Card:
    """Return what a summary says that a move depends on."""
    one, operators = told.summary, told.summary.operators or {}
    domains = {name.rpartition(".")[0] for name in operators if "." in name} if told.format == GRAPH else set[str]()
    ir = one.notes.get("ir_version")
    return Card(
        told.format,
        told.title,
        one.producer,
        one.opset,
        ir if isinstance(ir, int) else None,
        one.dependencies,
        operators,
        tuple(sorted(domains)),
        one.inputs,
        one.outputs,
    )


def needs(size: int, one: Summary) -> Needs:
    """Return what a model takes to run, as far as its file says."""
    integers = one.notes.get("integers")
    processor = integers.get("safe_on") if isinstance(integers, dict) else None
    kind = next((name for name in BITS if one.precision and one.precision.startswith(name)), None)
    weights = one.parameters * BITS[kind] // 8 if one.parameters is not None and kind else None
    return Needs(size, weights, one.precision, str(processor or "Any processor, as far as the file says."))


def concerns(one: Summary) -> tuple[Concern, ...]:
    """Return what stands in the way or should be known, whatever the target."""
    found = [
        Concern("blocker" if risk.level == "refuse" else "warning", f"{risk.what} {risk.where}".strip(), risk.next_step)
        for risk in one.risks
        if risk.level != "info"
    ]
    found += [concern for text in one.dependencies if (concern := aged(text))]
    custom = sorted({n.rpartition(".")[0] for n in one.operators or {} if "." in n} - set(KNOWN_DOMAINS))
    if one.format == GRAPH and custom:
        found.append(Concern("blocker", f"Operators of {', '.join(custom)} are nobody's standard.", "Bring the library that has them, or export without them."))  # fmt: skip
    if fixed := [spec.name for spec in one.inputs if spec.shape and isinstance(spec.shape[0], int)]:
        found.append(Concern("warning", f"The first size of {', '.join(fixed[:5])} is fixed, so a server cannot send it batches.", "Export with a dynamic batch size if you need batches."))  # fmt: skip
    return tuple(found)


def aged(dependency: str) -> Concern | None:
    """Say where a package that the file was written with is another version here; None where it is the same or not known."""
    name, _, written = dependency.rpartition(" ")
    try:
        here = version(name) if name else written
    except PackageNotFoundError:
        return None
    if here.partition("+")[0] == written.partition("+")[0]:
        return None
    return Concern("warning", f"The file was written with {name} {written}, and {name} {here} is installed here.", "Compare the answers on your own data after the export.")  # fmt: skip


def record(store: Store, visitor: str, request: AssessRequest, result: Assessment, job: str) -> str | None:
    """Write the assessment beside the model."""
    store.add_report(visitor, request.subject.owned, "assessment", result, job=job)
    return request.subject.artifact


def title(request: AssessRequest) -> str:
    """Name the job for the list of jobs."""
    return f"Assess {request.subject.name}"


VERB = Verb("assess", AssessRequest, Assessment, run, record, title, page="migrate.py", command="assess")
