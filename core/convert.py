"""Convert a model to another format, and prove that the answers are the same."""

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from core import bundle, lineage
from core.bench import Bench
from core.converters import CONVERTERS, route
from core.domain.errors import Refused
from core.domain.integer_products import Sums
from core.domain.recipe import Recipe, Step
from core.domain.report import Quality, Verdict
from core.domain.transform import CODE, Converter, option_fields, parse_options
from core.domain.work import Along, Data, Golden, Model
from core.formats import FORMATS
from core.runtimes import cannot_run
from core.tools import Tools
from core.transform import Applied, apply, check_code, check_consent, guilty, sizes

if TYPE_CHECKING:
    from core.store import Store


def run(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Convert the blob ``args["sha256"]`` of ``args["format"]`` to ``args["target"]``.

    ``args["options"]`` go to the step that declares them; ``args["data"]`` is ``{sha256, name, label}`` or None;
    ``args["code"]`` is ``{sha256, name}`` of a Python file that defines the network of a file of weights, or None.
    Returns the shape of DESIGN section 6 with the blobs' hashes. Raises Refused when there is no route, or the
    file needs the owner's consent.
    """
    return on(Bench(tools), args)


def on(bench: Bench, args: dict[str, Any]) -> dict[str, Any]:
    """Convert on a given bench; see ``run``."""
    tools = bench.tools
    source = Model(args["sha256"], args["size"], args["format"])
    data = Data(**args["data"]) if args.get("data") else None
    steps = plan(source.format, args["target"], args.get("options", {}))
    check_consent(source, bool(args.get("consent")))
    check_code(args.get("code"), bool(args.get("consent")))
    bench.along[source.sha256] = along(steps[0][1].options, args.get("code"))
    tools.progress(0.05, "Recording the answers of the source")
    golden = bench.probe(source, data, str(steps[0][1].options.get("shapes", "")), Sums.EXACT)
    applied = apply(bench, source, with_data_shapes(steps, golden), golden)
    tools.progress(0.85, "Measuring sizes and quality, packing the artifact with its evidence")
    return finish(bench, args, source, data, golden, applied)


def along(options: dict[str, Any], code: dict[str, Any] | None) -> Along:
    """Return what the source is opened with: the first step's options, and the owner's Python file if there is one."""
    return Along(dict(options), {CODE: str(code["sha256"])} if code else {})


def finish(
    bench: Bench, args: dict[str, Any], source: Model, data: Data | None, golden: Golden, applied: list[Applied]
) -> dict[str, Any]:
    """Measure what the steps made, and pack it unless it failed its proof."""
    quality = measure(bench, source, applied[-1].model, data, golden)
    result = describe(bench.tools, args, source, applied, golden, quality, bench)
    if applied[-1].parity.verdict is not Verdict.FAIL:
        result["bundle"] = vars(bundle.build(bench.tools.blobs, result))
    return result


def plan(source: str, target: str, options: dict[str, Any]) -> list[tuple[Converter, Step]]:
    """Return the converters of the route with the options that each declares. Raises Refused for an option of none."""
    converters = route(source, target)
    left, steps = dict(options), []
    for converter in converters:
        own = {f.name: left.pop(f.name) for f in option_fields(converter.Options) if f.name in left}
        parse_options(converter.Options, own)
        steps.append((converter, Step(converter.id, own)))
    if left:
        known = sorted({f.name for c in converters for f in option_fields(c.Options)}) or ["none"]
        raise Refused(
            f"This route has no option called {', '.join(sorted(left))}.", f"Options here: {', '.join(known)}."
        )
    return steps


def with_data_shapes(steps: list[tuple[Converter, Step]], golden: Golden) -> list[tuple[Converter, Step]]:
    """Give the first step the input shapes that the probes used, if it asks for shapes and the user named none."""
    converter, step = steps[0]
    shapes = golden.evidence.get("shapes")
    if not shapes or step.options.get("shapes") or "shapes" not in {f.name for f in option_fields(converter.Options)}:
        return steps
    return [(converter, replace(step, options={**step.options, "shapes": shapes})), *steps[1:]]


def measure(
    bench: Bench, source: Model, target: Model, data: Data | None, golden: Golden
) -> dict[str, dict[str, Any]] | None:
    """Measure both files on the user's labelled data, or return None without labels, or where the target cannot run here."""
    if data is None or not golden.evidence.get("labelled") or cannot_run(target.format):
        return None
    before: Quality = bench.evaluate(source, data)
    after: Quality = bench.evaluate(target, data)
    return {"before": before.to_json(), "after": after.to_json()}


def describe(
    tools: Tools,
    args: dict[str, Any],
    source: Model,
    applied: list[Applied],
    golden: Golden,
    quality: dict[str, Any] | None,
    bench: Bench,
) -> dict[str, Any]:
    """Put the facts of the conversion in the order of DESIGN section 6."""
    last = applied[-1]
    return {
        "source": {**vars(source), "name": args["name"]},
        "artifact": {**vars(last.model), "name": output_name(args["name"], last)},
        "steps": [step_json(args["name"], one) for one in applied],
        "recipe": Recipe(tuple(one.step for one in applied)).to_json(),
        "parity": last.parity.to_json(),
        "guilty": guilty(
            applied, [FORMATS[source.format].title, *(FORMATS[one.model.format].title for one in applied)]
        ),
        "quality": quality,
        "size": sizes(tools.blobs, source, last.model),
        "seconds": bench.cost.seconds,
        "peak_rss_mb": bench.cost.peak_rss_mb,
        "golden": {"sha256": golden.sha256, "recorded": golden.recorded, **golden.evidence},
        "data": args.get("data"),
        "summary": last.summary,
        "bundle": None,
    }


def step_json(name: str, one: Applied) -> dict[str, Any]:
    """Return one step with the converter that ran, what came out of it, and its verdict."""
    return {
        **one.step.to_json(),
        **vars(one.model),
        "name": output_name(name, one),
        "title": FORMATS[one.model.format].title,
        "converter": CONVERTERS[one.step.transform].title,
        "parity": one.parity.to_json(),
        "alone": one.alone.to_json() if one.alone else None,
        "summary": one.summary,
        "graph": one.graph,
    }


def output_name(name: str, one: Applied) -> str:
    """Name the result after its source, with the suffix of its own format."""
    return PurePath(name).stem + FORMATS[one.model.format].suffixes[0]


def record(store: "Store", visitor: str, args: dict[str, Any], result: dict[str, Any], job: str) -> dict[str, Any]:
    """Write each step's artifact under its parent, with its summary and the proof; what failed its proof is no artifact."""
    parent = args["artifact"]
    for step in result["steps"]:
        if Verdict(step["parity"]["verdict"]) is Verdict.FAIL:
            break
        child = lineage.add(store, visitor, step, parent, job)
        store.add_report(visitor, child, "parity", step["parity"], against=parent, job=job)
        parent = child
    blobs = [
        result["golden"]["sha256"],
        result["golden"]["recorded"],
        *([result["bundle"]["sha256"]] if result["bundle"] else []),
    ]
    against = args["artifact"] if parent != args["artifact"] else None
    store.add_report(visitor, parent, "conversion", result, against=against, blobs=blobs, job=job)
    return {"artifact_id": parent}


def title(args: dict[str, Any]) -> str:
    """Name the job for the list of jobs."""
    return f"Convert {args['name']} to {FORMATS[args['target']].title}"
