"""Convert a model to another format, and prove that the answers are the same."""

from dataclasses import replace
from pathlib import PurePath

from core.answers import bundle
from core.calls import convert, evaluate, probe
from core.calls.bench import Bench
from core.converters import CONVERTERS, route
from core.domain.conversion import Conversion, ConvertedStep, ConvertRequest
from core.domain.errors import Refused
from core.domain.integer_products import Sums
from core.domain.measures import Qualities
from core.domain.recipe import Option, Step
from core.domain.report import Verdict
from core.domain.transform import CODE, Converter, normal_options, option_fields
from core.domain.work import Along, Code, Data, Golden, Model, NamedModel
from core.formats import FORMATS
from core.jobs.verb import Verb
from core.memory.store import Store
from core.runtimes import cannot_run
from core.sandbox.tools import Tools
from core.verbs import allowed_loss, lineage
from core.verbs.losses import losses
from core.verbs.transform import Applied, apply, check_code, check_consent, guilty, sizes


def run(tools: Tools, request: ConvertRequest) -> Conversion:
    """Convert a model; options go to the step that declares them.

    Raises Refused when there is no route, or the file needs the owner's consent.
    """
    return on(Bench(tools), request)


def on(bench: Bench, request: ConvertRequest) -> Conversion:
    """Convert on a given bench; see ``run``."""
    source, consent = request.subject.model, request.subject.consent
    steps = plan(source.format, request.target, request.options)
    check_consent(source, consent)
    check_code(request.code, consent)
    bench.openings[source.sha256] = along(steps[0][1].options, request.code)
    refuse_early(bench, source, *steps[0])
    bench.tools.progress(0.05, "Recording the answers of the source model")
    golden = probe.ask(bench, source, request.data, str(steps[0][1].options.get("shapes", "")), Sums.EXACT)
    if request.data is not None and golden.evidence.labelled and not cannot_run(request.target):
        bench.tools.progress(0.08, "Measuring the source model on the data")
        evaluate.ask(
            bench, source, request.data
        )  # refuses a metric that does not fit before the proof, and is remembered
    applied = apply(bench, source, with_data_shapes(steps, golden), golden)
    bench.tools.progress(0.85, "Measuring sizes and quality, and packing the result with its evidence")
    return finish(bench, request, golden, applied)


def refuse_early(bench: Bench, source: Model, converter: Converter, step: Step) -> None:
    """Have the first converter write its file before the answers are recorded, which can take minutes, unless it needs something of them.

    What it writes is remembered. Raises Refused where it does not take the model.
    """
    if not converter.packs_answers and "shapes" not in {f.name for f in option_fields(converter.Options)}:
        bench.tools.progress(0.02, f"Converting: {converter.title}")
        convert.ask(bench, source, converter, step.options)


def normal(request: ConvertRequest) -> ConvertRequest:
    """Parse the options, so that equal work is equal. Raises Refused for one that no step of the route declares."""
    steps = plan(request.subject.format, request.target, request.options)
    merged = {name: value for _, step in steps for name, value in step.options.items()}
    return replace(request, options=merged)


def along(options: dict[str, Option], code: Code | None) -> Along:
    """Return what the source is opened with: the first step's options, and the owner's Python file if there is one."""
    return Along(dict(options), {CODE: code.sha256} if code else {})


def plan(source: str, target: str, options: dict[str, Option]) -> list[tuple[Converter, Step]]:
    """Return the converters of the route with the options that each declares. Raises Refused for an option of none."""
    converters = route(source, target)
    left, steps = dict(options), []
    for converter in converters:
        own = {f.name: left.pop(f.name) for f in option_fields(converter.Options) if f.name in left}
        steps.append((converter, Step(converter.id, normal_options(converter.Options, own))))
    if left:
        known = sorted({f.name for c in converters for f in option_fields(c.Options)}) or ["none"]
        raise Refused(
            f"This route has no option called {', '.join(sorted(left))}.", f"Options here: {', '.join(known)}."
        )
    return steps


def with_data_shapes(steps: list[tuple[Converter, Step]], golden: Golden) -> list[tuple[Converter, Step]]:
    """Give the first step the input shapes that the probes used, if it asks for shapes and the user named none."""
    converter, step = steps[0]
    shapes = golden.evidence.shapes
    if not shapes or step.options.get("shapes") or "shapes" not in {f.name for f in option_fields(converter.Options)}:
        return steps
    return [(converter, replace(step, options={**step.options, "shapes": shapes})), *steps[1:]]


def measure(bench: Bench, source: Model, target: Model, data: Data | None, golden: Golden) -> Qualities | None:
    """Measure both files on the user's labelled data, or return None without labels, or where the target cannot run here."""
    if data is None or not golden.evidence.labelled or cannot_run(target.format):
        return None
    return evaluate.both(bench, source, target, data, evaluate.as_read(data, golden))


def finish(bench: Bench, request: ConvertRequest, golden: Golden, applied: list[Applied]) -> Conversion:
    """Measure what the steps made, and pack it unless it failed its proof."""
    source, last = request.subject.model, applied[-1]
    quality = allowed_loss.added(
        measure(bench, source, last.model, request.data, golden), request.data, request.max_drop
    )
    titles = [FORMATS[source.format].title, *(FORMATS[one.model.format].title for one in applied)]
    result = Conversion(
        source=request.subject.named,
        steps=tuple(converted(request.subject.name, one) for one in applied),
        guilty=guilty(applied, titles),
        quality=quality,
        size=sizes(bench.tools.blobs, source, last.model),
        seconds=bench.cost.seconds,
        peak_rss_mb=bench.cost.peak_rss_mb,
        golden=golden,
        data=request.data,
        lost=losses(last.origin, source.size, last.summary, last.model.size) if last.origin else (),
    )
    if last.parity.verdict is Verdict.FAIL:
        return result
    return replace(result, bundle=bundle.build(bench.tools.blobs, result))


def converted(name: str, one: Applied) -> ConvertedStep:
    """Return one step with the converter that ran, what came out of it, and its verdict."""
    return ConvertedStep(
        step=one.step,
        model=NamedModel(**vars(one.model), name=output_name(name, one)),
        title=FORMATS[one.model.format].title,
        converter=CONVERTERS[one.step.transform].title,
        parity=one.parity,
        alone=one.alone,
        summary=one.summary,
        graph=one.graph,
    )


def output_name(name: str, one: Applied) -> str:
    """Name the result after its source, with the suffix of its own format."""
    return PurePath(name).stem + FORMATS[one.model.format].suffixes[0]


def record(store: Store, visitor: str, request: ConvertRequest, result: Conversion, job: str) -> str | None:
    """Write each step's artifact under its parent, with its summary and the proof; what failed its proof is no artifact."""
    parent = root = request.subject.owned
    for step in result.steps:
        if step.parity.verdict is Verdict.FAIL:
            break
        child = lineage.add(store, visitor, step, parent, job)
        store.add_report(visitor, child, "parity", step.parity, against=parent, job=job)
        parent = child
    blobs = [result.golden.sha256, result.golden.recorded, *([result.bundle.sha256] if result.bundle else [])]
    against = root if parent != root else None
    store.add_report(visitor, parent, "conversion", result, against=against, blobs=blobs, job=job)
    return parent


def title(request: ConvertRequest) -> str:
    """Name the job for the list of jobs."""
    return f"Convert {request.subject.name} to {FORMATS[request.target].title}"


VERB = Verb(
    "convert",
    ConvertRequest,
    Conversion,
    run,
    record,
    title,
    page="convert.py",
    normal=normal,
    command="convert",
)
