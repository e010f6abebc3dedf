"""Make a model smaller or faster by techniques in a row, and measure on the stored result what was won and what was lost.

Techniques learn from the calibration half of the data alone; accuracy and changed predictions are counted on the test
half. Where the numbers may change, the verdict is about that half: PASS when the quality fell by no more than was
allowed, or, without labels, when no larger share of predictions changed.
"""

from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from core import bundle, lineage, travel
from core.bench import Bench
from core.causes import causes
from core.domain.errors import Refused, from_json
from core.domain.overhead import Footprint, Kernels, Race
from core.domain.recipe import Recipe, Step
from core.domain.report import Check, Parity, Quality, Verdict
from core.domain.technique import ANY, HALVES, Technique
from core.domain.transform import Tolerance, parse_options
from core.domain.work import Data, Golden, Model
from core.formats import FORMATS
from core.techniques import TECHNIQUES
from core.tools import Tools
from core.transform import sizes

if TYPE_CHECKING:
    from core.store import Store

FORMAT = "onnx"
CALIBRATION, TEST = HALVES
MAX_DROP = 0.01
RACE_SECONDS = 8.0
REPLAY = Tolerance(absolute=1e-4, relative=1e-4)
"""What the artifact may differ by from its own recorded answers on the machine of whoever downloads it."""


@dataclass(frozen=True)
class Effort:
    """How many seconds two files are timed, and in how many fresh processes the memory of each is measured."""

    seconds: float
    processes: int | None = None


@dataclass(frozen=True)
class Overhead:
    """What both files cost to run: the paired times, the memory of each, and what the engine runs of each."""

    race: Race
    memory: tuple[Footprint, Footprint]
    kernels: tuple[Kernels, Kernels]


@dataclass(frozen=True)
class Reduced:
    """One technique that ran: what came out and what it says about itself."""

    step: Step
    technique: Technique
    model: Model
    summary: dict[str, Any]
    graph: str | None


def run(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Apply ``args["recipe"]``, a list of ``{transform, options}``, to the blob ``args["sha256"]`` of an ONNX file.

    ``args["data"]`` is ``{sha256, name, label}`` or None; ``args["max_drop"]`` is the share by which accuracy may fall, or
    by which RMSE may grow; ``learns`` and ``judged`` name other parts of the data than the two halves, as a search does.
    Returns the shape of DESIGN section 6. Raises Refused in the words of a technique that does not fit the model, or when
    the recipe is empty.
    """
    return on(Bench(tools), args)


def on(bench: Bench, args: dict[str, Any]) -> dict[str, Any]:
    """Compress on a given bench; see ``run``."""
    tools, source = bench.tools, Model(args["sha256"], args["size"], args["format"])
    steps = plan(source.format, args["recipe"])
    data = Data(**args["data"]) if args.get("data") else None
    learning = data and replace(data, half=args.get("learns", CALIBRATION))
    held = data and replace(data, half=args.get("judged", TEST))
    tools.progress(0.05, "Recording the answers of the source model")
    golden = bench.probe(source, held)
    applied = reduce(bench, source, steps, learning)
    return proven(bench, args, source, applied, held, golden)


def proven(
    bench: Bench,
    args: dict[str, Any],
    source: Model,
    applied: list[Reduced],
    held: Data | None,
    golden: Golden,
    effort: Effort | None = None,
) -> dict[str, Any]:
    """Return the result of a recipe that ran, measured on held-out samples with some effort."""
    tools = bench.tools
    tools.progress(0.6, "Comparing in a fresh process")
    tolerance = loosest([(one.technique, one.step) for one in applied])
    parity = bench.compare(applied[-1].model, golden, tolerance)
    tools.progress(0.7, "Measuring the quality on held-out samples")
    quality = measure(bench, source, applied[-1].model, held, golden)
    if tolerance is ANY and parity.verdict is not Verdict.FAIL:
        parity = judge(parity, quality, float(args.get("max_drop", MAX_DROP)))
    tools.progress(0.8, "Timing both files in pairs and measuring their memory")
    overhead = weigh(bench, source, applied[-1].model, golden, effort or Effort(RACE_SECONDS))
    return finish(bench, args, source, applied, parity, quality, overhead)


def plan(format: str, recipe: list[dict[str, Any]]) -> list[tuple[Technique, Step]]:
    """Return each technique with its step. Raises Refused for another format, no step, or an option off the declaration."""
    if format != FORMAT:
        raise Refused(
            f"{FORMATS[format].title} files cannot be compressed directly.", "Convert the model to ONNX first."
        )
    if not recipe:
        raise Refused("The recipe has no steps.", f"Choose a technique: {', '.join(t.id for t in TECHNIQUES)}.")
    steps = [(TECHNIQUES[step.transform], step) for step in Recipe.from_json(recipe).steps]
    for technique, step in steps:
        parse_options(technique.Options, step.options)
    return steps


def loosest(steps: list[tuple[Technique, Step]]) -> Tolerance:
    """Return the bounds of a row of techniques: none as soon as one of them may change the numbers."""
    tolerances = [technique.tolerance for technique, _ in steps]
    return ANY if ANY in tolerances else max(tolerances, key=lambda one: one.absolute)


def reduce(bench: Bench, source: Model, steps: list[tuple[Technique, Step]], data: Data | None) -> list[Reduced]:
    """Apply the techniques in order; what each writes is audited like a stranger's upload. Raises Refused in their words."""
    applied: list[Reduced] = []
    model, (summary, _) = source, bench.audit(source, "source.onnx")
    for number, (technique, step) in enumerate(steps):
        title = technique.title + (f" (step {number + 1} of {len(steps)})" if len(steps) > 1 else "")

        def tell(share: float | None, text: str, number: int = number, title: str = title) -> None:
            fraction = 0.15 + 0.45 * (number + (share or 0.0)) / len(steps)
            bench.tools.progress(fraction, f"{title}: {text}" if text else title)

        tell(0.0, "")
        if trouble := technique.applies(summary):
            raise from_json(trouble.to_json())
        if technique.calibrates and data is None:
            raise Refused(f"{technique.title} learns from samples.", "Add a data set; it needs no labels.")
        model = bench.compress(model, technique, step.options, data, teacher=source, tell=tell)
        summary, graph = bench.audit(model, "artifact.onnx")
        applied.append(Reduced(step, technique, model, summary, graph))
    return applied


def measure(
    bench: Bench, source: Model, target: Model, data: Data | None, golden: Golden
) -> dict[str, dict[str, Any]] | None:
    """Measure both files on the held-out half, or return None without labels."""
    if data is None or not golden.evidence.get("labelled"):
        return None
    return {"before": bench.evaluate(source, data).to_json(), "after": bench.evaluate(target, data).to_json()}


def weigh(bench: Bench, source: Model, target: Model, golden: Golden, effort: Effort) -> Overhead:
    """Time both files against each other, measure the memory of each, and count what the engine runs of them."""
    race = bench.race(source, target, golden, seconds=effort.seconds)
    before, after = (bench.footprint(model, golden, processes=effort.processes) for model in (source, target))
    return Overhead(race, (before, after), (bench.kernels(source), bench.kernels(target)))


def judge(parity: Parity, quality: dict[str, dict[str, Any]] | None, allowed: float) -> Parity:
    """Return the proof with the verdict on what was lost: in quality, or without labels in changed predictions."""
    if quality:
        before, after = (Quality.from_json(quality[side]) for side in ("before", "after"))
        lost, words = fallen(before, after)
        return decided(parity, lost <= allowed, f"{words} held-out samples; {allowed:.2%} is allowed.")
    check = next((check for check in parity.checks if check.name == "data"), None)
    if check is None or check.flips is None:
        reason = "Nothing shows what the changed numbers cost: add a data set, preferably with labels."
        return replace(parity, verdict=Verdict.NOT_PROVEN, reason=reason)
    share = check.flips.k / check.flips.n
    words = f"{check.flips.k:,} of {check.flips.n:,} predictions changed on held-out samples without labels"
    return decided(parity, share <= allowed, f"{words}; {allowed:.2%} is allowed.")


def fallen(before: Quality, after: Quality) -> tuple[float, str]:
    """Return by which share the quality fell, negative where it rose, and the sentence."""
    if before.correct and after.correct:
        lost = (before.correct.k - after.correct.k) / before.correct.n
        counts = f"{before.correct.k:,} to {after.correct.k:,} of {after.correct.n:,}"
        return lost, f"Accuracy went from {before.value:.2%} to {after.value:.2%}: {counts}"
    lost = after.value / before.value - 1 if before.value else float(after.value > 0)
    return lost, f"{after.metric} went from {before.value:.4g} to {after.value:.4g} on {after.samples:,}"


def decided(parity: Parity, within: bool, reason: str) -> Parity:
    """Return the proof with PASS or FAIL and the reason; on FAIL the check on the data fails with it."""
    if within:
        return replace(parity, verdict=Verdict.PASS, reason=reason)
    checks = tuple(failed(check) if check.name == "data" else check for check in parity.checks)
    return replace(parity, verdict=Verdict.FAIL, reason=reason, checks=checks)


def failed(check: Check) -> Check:
    """Return the check with FAIL."""
    return replace(check, verdict=Verdict.FAIL)


def finish(
    bench: Bench,
    args: dict[str, Any],
    source: Model,
    applied: list[Reduced],
    parity: Parity,
    quality: dict[str, dict[str, Any]] | None,
    overhead: Overhead,
) -> dict[str, Any]:
    """Put the facts together and pack the artifact with its own recorded answers, unless it failed."""
    bench.tools.progress(0.85, "Recording the answers of the result and packing it with its evidence")
    last, blobs = applied[-1], bench.tools.blobs
    golden = answered(bench, last.model, Data(**args["data"]) if args.get("data") else None)
    travels = [travel.send(bench, model) for model in (source, last.model)]
    size = {**sizes(blobs, source, last.model), **travel.sizes(*travels)}
    weights = bench.weights(source, last.model)
    result: dict[str, Any] = {
        "source": {**vars(source), "name": args["name"]},
        "artifact": {**vars(last.model), "name": output_name(args["name"], applied)},
        "steps": [step_json(one, applied[: number + 1], args["name"]) for number, one in enumerate(applied)],
        "recipe": Recipe(tuple(one.step for one in applied)).to_json(),
        "parity": parity.to_json(),
        "quality": quality,
        "size": size,
        "speed": overhead.race.to_json(),
        "memory": sides(overhead.memory),
        "kernels": sides(overhead.kernels),
        "weights": weights,
        "why": [vars(one) for one in causes(size, weights, overhead.race, overhead.kernels, last.technique.claim)],
        "seconds": bench.cost.seconds,
        "peak_rss_mb": bench.cost.peak_rss_mb,
        "golden": {"sha256": golden.sha256, "recorded": golden.recorded, **golden.evidence},
        "data": args.get("data"),
        "summary": last.summary,
        "safe_on": last.summary["notes"]["integers"]["safe_on"],
        "bundle": None,
        "travel": None,
    }
    if parity.verdict is not Verdict.FAIL:
        replayed = {**result, "parity": {**result["parity"], "tolerance": vars(REPLAY)}}
        result["bundle"] = vars(bundle.build(blobs, replayed))
        result["travel"] = travel.bundled(blobs, replayed, travels[1])
    return result


def answered(bench: Bench, model: Model, data: Data | None) -> Golden:
    """Record answers to drawn inputs, or to held-out samples too where a model refuses all that is drawn, as one that takes a certain length does."""
    try:
        return bench.probe(model, None)
    except Refused:
        if data is None:
            raise
        return bench.probe(model, replace(data, half=TEST))


def sides(both: tuple[Any, Any]) -> dict[str, Any]:
    """Return two measurements as plain values under before and after."""
    return {name: one.to_json() for name, one in zip(("before", "after"), both, strict=True)}


def output_name(name: str, applied: list[Reduced]) -> str:
    """Name the result after its source and the techniques."""
    words = "-".join(one.technique.id for one in applied)
    return f"{PurePath(name).stem}-{words}{FORMATS[FORMAT].suffixes[0]}"


def step_json(one: Reduced, so_far: list[Reduced], name: str) -> dict[str, Any]:
    """Return one step with what came out of it."""
    return {
        **one.step.to_json(),
        **vars(one.model),
        "name": output_name(name, so_far),
        "title": one.technique.title,
        "family": str(one.technique.family),
        "summary": one.summary,
        "graph": one.graph,
    }


def record(store: "Store", visitor: str, args: dict[str, Any], result: dict[str, Any], job: str) -> dict[str, Any]:
    """Write each step's artifact under its parent and the proof beside the last; what failed is no artifact."""
    parent = args["artifact"]
    if Verdict(result["parity"]["verdict"]) is not Verdict.FAIL:
        for step in result["steps"]:
            parent = lineage.add(store, visitor, step, parent, job)
    blobs = [result["golden"]["sha256"], result["golden"]["recorded"]]
    blobs += [result[key]["sha256"] for key in ("bundle", "travel") if result[key]]
    against = args["artifact"] if parent != args["artifact"] else None
    store.add_report(visitor, parent, "compression", result, against=against, blobs=blobs, job=job)
    return {"artifact_id": parent}


def title(args: dict[str, Any]) -> str:
    """Name the job for the list of jobs."""
    words = ", ".join(TECHNIQUES[step["transform"]].title for step in args["recipe"])
    return f"Compress {args['name']}: {words}"
