"""Make a model smaller or faster by techniques in a row, and measure on the stored result what was won and what was lost.

Techniques learn from the calibration half of the data alone; accuracy and changed predictions are counted on the test
half. Where the numbers may change, the verdict is about samples that nobody has seen: PASS when, by what was counted on
that half, the quality falls by no more than was allowed, or, without labels, no larger share of predictions changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from core.answers import bundle
from core.calls import compare, compress, evaluate, footprint, inspect, kernels, probe, race, weights
from core.calls.bench import Bench
from core.domain.codec import decode
from core.domain.compression import TEST, CompressedStep, Compression, CompressRequest
from core.domain.errors import Refused, from_trouble
from core.domain.format import Summary
from core.domain.integer_products import Integers
from core.domain.measures import KernelCounts, Memory, Qualities
from core.domain.overhead import Race
from core.domain.recipe import Step
from core.domain.report import Parity, Verdict
from core.domain.technique import ANY, Technique
from core.domain.transform import Tolerance, normal_options
from core.domain.work import Data, Golden, Model, NamedModel
from core.formats import FORMATS
from core.jobs.verb import Verb
from core.memory.store import Store
from core.sandbox.tools import Tools
from core.techniques import TECHNIQUES
from core.verbs import allowed_loss, download_size, lineage
from core.verbs.shortfalls import causes
from core.verbs.transform import sizes

FORMAT = "onnx"
RACE_SECONDS = 8.0


@dataclass(frozen=True)
class Effort:
    """How many seconds two files are timed, and in how many fresh processes the memory of each is measured."""

    seconds: float
    processes: int | None = None


@dataclass(frozen=True)
class Overhead:
    """What both files cost to run: the paired times, the memory of each, and what the engine runs of each."""

    race: Race
    memory: Memory
    kernels: KernelCounts


@dataclass(frozen=True)
class Reduced:
    """One technique that ran: what came out and what it says about itself."""

    step: Step
    technique: Technique
    model: Model
    summary: Summary
    graph: str | None


def run(tools: Tools, request: CompressRequest) -> Compression:
    """Apply a recipe to an ONNX file; ``learns`` and ``judged`` name other parts of the data than the two halves, as a search does.

    Raises Refused in the words of a technique that does not fit the model, or when the recipe is empty.
    """
    return on(Bench(tools), request)


def on(bench: Bench, request: CompressRequest) -> Compression:
    """Compress on a given bench; see ``run``."""
    source, data = request.subject.model, request.data
    steps = plan(source.format, request.recipe)
    learning, held = (data and replace(data, half=half) for half in (request.learns, request.judged))
    bench.tools.progress(0.05, "Recording the answers of the source model")
    golden = probe.ask(bench, source, held)
    meet(bench, source, held, golden)
    applied = reduce(bench, source, steps, evaluate.as_read(learning, golden))
    return proven(bench, request, applied, held, golden)


def meet(bench: Bench, source: Model, held: Data | None, golden: Golden) -> None:
    """Measure the source before anything else. Raises Refused where its answers and the labels cannot be the same thing."""
    if held is not None and golden.evidence.labelled and (unmet := evaluate.ask(bench, source, held).unmet):
        raise from_trouble(unmet)


def normal(request: CompressRequest) -> CompressRequest:
    """Parse the options of each step, so that equal work is equal. Raises Refused as ``plan`` does."""
    return replace(request, recipe=tuple(step for _, step in plan(request.subject.format, request.recipe)))


def proven(
    bench: Bench,
    request: CompressRequest,
    applied: list[Reduced],
    held: Data | None,
    golden: Golden,
    effort: Effort | None = None,
) -> Compression:
    """Return the result of a recipe that ran, measured on held-out samples with some effort."""
    tools, source = bench.tools, request.subject.model
    tools.progress(0.6, "Comparing in a fresh process")
    tolerance = loosest([(one.technique, one.step) for one in applied])
    parity = compare.ask(bench, applied[-1].model, golden, tolerance)
    tools.progress(0.7, "Measuring the quality on held-out samples")
    quality = measure(bench, source, applied[-1].model, held, golden)
    if tolerance is ANY and parity.verdict is not Verdict.FAIL:
        parity = on_test_half(allowed_loss.judge(parity, quality, request.max_drop, held), request)
    tools.progress(0.8, "Timing both files in pairs and measuring their memory")
    overhead = weigh(bench, source, applied[-1].model, golden, effort or Effort(RACE_SECONDS))
    read = quality.before.remarks if quality else golden.evidence.data
    return finish(bench, request, applied, parity, quality, overhead, read)


def on_test_half(parity: Parity, request: CompressRequest) -> Parity:
    """Return the proof, with no PASS by samples that a search chose by: the best of many is the luckiest on these too."""
    if request.judged == TEST or parity.verdict is not Verdict.PASS:
        return parity
    words = "Counted on samples that the search chose by, which prove nothing; the test half was not looked at yet."
    checks = tuple(replace(one, verdict=Verdict.NOT_PROVEN) if one.name == "data" else one for one in parity.checks)
    return replace(parity, verdict=Verdict.NOT_PROVEN, reason=f"{words} {parity.reason}", checks=checks)


def plan(format: str, recipe: Sequence[Step]) -> list[tuple[Technique, Step]]:
    """Return each technique with its step, options parsed. Raises Refused for another format, no step, or an option off the declaration."""
    if format != FORMAT:
        raise Refused(
            f"{FORMATS[format].title} files cannot be compressed directly.", "Convert the model to ONNX first."
        )
    if not recipe:
        raise Refused("The recipe has no steps.", f"Choose a technique: {', '.join(t.id for t in TECHNIQUES)}.")
    steps = [(TECHNIQUES[step.transform], step) for step in recipe]
    return [(one, replace(step, options=normal_options(one.Options, step.options))) for one, step in steps]


def loosest(steps: list[tuple[Technique, Step]]) -> Tolerance:
    """Return the bounds of a row of techniques: none as soon as one of them may change the numbers."""
    tolerances = [technique.tolerance for technique, _ in steps]
    return ANY if ANY in tolerances else max(tolerances, key=lambda one: one.absolute)


def reduce(bench: Bench, source: Model, steps: list[tuple[Technique, Step]], data: Data | None) -> list[Reduced]:
    """Apply the techniques in order; what each writes is audited like a stranger's upload. Raises Refused in their words."""
    applied: list[Reduced] = []
    model, (found,) = source, inspect.audit(bench, [source], "source.onnx")
    for number, (technique, step) in enumerate(steps):
        title = technique.title + (f" (step {number + 1} of {len(steps)})" if len(steps) > 1 else "")

        def tell(share: float | None, text: str, number: int = number, title: str = title) -> None:
            fraction = 0.15 + 0.45 * (number + (share or 0.0)) / len(steps)
            bench.tools.progress(fraction, f"{title}: {text}" if text else title)

        tell(0.0, "")
        if trouble := technique.applies(found.summary):
            raise from_trouble(trouble)
        if technique.calibrates and data is None:
            raise Refused(f"{technique.title} learns from samples.", "Add a data set; it needs no labels.")
        model = compress.ask(bench, model, technique, step.options, data, teacher=source, tell=tell)
        (found,) = inspect.audit(bench, [model], "artifact.onnx")
        applied.append(Reduced(step, technique, model, found.summary, found.graph))
    return applied


def measure(bench: Bench, source: Model, target: Model, data: Data | None, golden: Golden) -> Qualities | None:
    """Measure both files on the held-out half, or return None without labels."""
    if data is None or not golden.evidence.labelled:
        return None
    return evaluate.both(bench, source, target, data, evaluate.as_read(data, golden))


def weigh(bench: Bench, source: Model, target: Model, golden: Golden, effort: Effort) -> Overhead:
    """Time both files against each other, measure the memory of each, and count what the engine runs of them."""
    timed = race.ask(bench, source, target, golden, seconds=effort.seconds)
    memory = Memory(*(footprint.ask(bench, one, golden, processes=effort.processes) for one in (source, target)))
    return Overhead(timed, memory, KernelCounts(kernels.ask(bench, source), kernels.ask(bench, target)))


def finish(
    bench: Bench,
    request: CompressRequest,
    applied: list[Reduced],
    parity: Parity,
    quality: Qualities | None,
    overhead: Overhead,
    read: tuple[str, ...] = (),
) -> Compression:
    """Put the facts together and pack the artifact with its own recorded answers, unless it failed."""
    bench.tools.progress(0.85, "Recording the answers of the result and packing it with its evidence")
    source, last, blobs = request.subject.model, applied[-1], bench.tools.blobs
    golden = answered(bench, last.model, request.data)
    packed = [download_size.packed(bench, model) for model in (source, last.model)]
    size = download_size.sizes(sizes(blobs, source, last.model), *packed)
    changes = weights.ask(bench, source, last.model)
    result = Compression(
        source=request.subject.named,
        steps=tuple(compressed(applied[: number + 1], request.subject.name) for number in range(len(applied))),
        parity=parity,
        quality=quality,
        size=size,
        speed=overhead.race,
        memory=overhead.memory,
        kernels=overhead.kernels,
        weights=changes,
        why=tuple(causes(size, changes, overhead.race, overhead.kernels, last.technique.claim)),
        seconds=bench.cost.seconds,
        peak_rss_mb=bench.cost.peak_rss_mb,
        golden=golden,
        data=request.data,
        read=read,
        safe_on=decode(Integers, last.summary.notes["integers"]).safe_on,
    )
    if parity.verdict is Verdict.FAIL:
        return result
    return replace(
        result,
        bundle=bundle.build(blobs, result),
        travel=download_size.bundled(blobs, result, packed[1]),
    )


def answered(bench: Bench, model: Model, data: Data | None) -> Golden:
    """Record answers to drawn inputs, or to held-out samples too where a model refuses all that is drawn, as one that takes a certain length does."""
    try:
        return probe.ask(bench, model, None)
    except Refused:
        if data is None:
            raise
        return probe.ask(bench, model, replace(data, half=TEST))


def output_name(name: str, applied: list[Reduced]) -> str:
    """Name the result after its source and the techniques."""
    words = "-".join(one.technique.id for one in applied)
    return f"{PurePath(name).stem}-{words}{FORMATS[FORMAT].suffixes[0]}"


def compressed(so_far: list[Reduced], name: str) -> CompressedStep:
    """Return the last of some steps with what came out of it."""
    one = so_far[-1]
    return CompressedStep(
        step=one.step,
        model=NamedModel(**vars(one.model), name=output_name(name, so_far)),
        title=one.technique.title,
        family=str(one.technique.family),
        summary=one.summary,
        graph=one.graph,
    )


def record(store: Store, visitor: str, request: CompressRequest, result: Compression, job: str) -> str | None:
    """Write each step's artifact under its parent and the proof beside the last; what failed is no artifact."""
    parent = root = request.subject.owned
    if result.parity.verdict is not Verdict.FAIL:
        for step in result.steps:
            parent = lineage.add(store, visitor, step, parent, job)
    blobs = [result.golden.sha256, result.golden.recorded]
    blobs += [one.sha256 for one in (result.bundle, result.travel) if one]
    against = root if parent != root else None
    store.add_report(visitor, parent, "compression", result, against=against, blobs=blobs, job=job)
    return parent


def title(request: CompressRequest) -> str:
    """Name the job for the list of jobs."""
    words = ", ".join(TECHNIQUES[step.transform].title for step in request.recipe)
    return f"Compress {request.subject.name}: {words}"


VERB = Verb(
    "compress",
    CompressRequest,
    Compression,
    run,
    record,
    title,
    page="compress.py",
    normal=normal,
    command="compress",
)
