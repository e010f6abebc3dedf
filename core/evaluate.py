"""Measure a model on labelled data, alone or against the model that it came from."""

from typing import TYPE_CHECKING, Any

from core import everywhere
from core.bench import Bench
from core.converters import CONVERTERS
from core.domain.errors import Refused
from core.domain.integer_products import Sums
from core.domain.transform import Tolerance
from core.domain.work import Data, Model
from core.formats import FORMATS
from core.tools import Tools
from core.transform import check_consent, loosest, prove

if TYPE_CHECKING:
    from core.store import Store

UNDECLARED = Tolerance(absolute=1e-4, relative=1e-4)
"""For a pair that no converter of ours makes: what float32 runtimes differ by on the same graph, with room."""


def run(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Evaluate the blob ``args["sha256"]``, and compare it with ``args["against"]`` if that is given.

    Returns ``{quality, against: {quality, parity, golden} | None}``; quality is None without labelled data.
    Raises Refused when there is neither data nor a model to compare with.
    """
    model = Model(args["sha256"], args["size"], args["format"])
    data = Data(**args["data"]) if args.get("data") else None
    if data is None and not args.get("against"):
        raise Refused(
            "There is nothing to measure this model on.", "Add a labelled data set, or a model to compare with."
        )
    check_consent(model, bool(args.get("consent")))
    bench = Bench(tools)
    if args.get("against"):
        measured = compare(bench, model, args["against"], data)
    else:
        tools.progress(0.1, "Measuring the model on the data")
        measured = {"quality": bench.evaluate(model, data).to_json() if data else None, "against": None}
    cost = {"seconds": bench.cost.seconds, "peak_rss_mb": bench.cost.peak_rss_mb}
    return {**measured, "data": args.get("data"), **cost}


def compare(bench: Bench, model: Model, other: dict[str, Any], data: Data | None) -> dict[str, Any]:
    """Prove the model against the one that it claims to equal, on the same probes and the same data."""
    source = Model(other["sha256"], other["size"], other["format"])
    check_consent(source, bool(other.get("consent")))
    bench.tools.progress(0.1, "Recording the answers of the model to compare with")
    golden = bench.probe(source, data, sums=Sums.EXACT)
    bench.tools.progress(0.5, "Comparing in a fresh process")
    parity = prove(bench, source, model, golden, declared_tolerance(source.format, model.format))
    if model.format in everywhere.TELLING:
        summary, _ = bench.audit(model, "model" + FORMATS[model.format].suffixes[0])
        parity = everywhere.judged(bench, source, model, summary, golden, parity)
    labelled = data if golden.evidence["labelled"] else None
    bench.tools.progress(0.8, "Measuring both on the data")
    before, after = (bench.evaluate(one, labelled).to_json() if labelled else None for one in (source, model))
    return {"quality": after, "against": {"quality": before, "parity": parity.to_json(), "golden": golden.sha256}}


def declared_tolerance(source: str, target: str) -> Tolerance:
    """Return the tolerance of the converter between the two formats, or the undeclared one."""
    found = [c.tolerance for c in CONVERTERS if (c.source, c.target) == (source, target)]
    return loosest(found[0], found[-1]) if found else UNDECLARED


def record(store: "Store", visitor: str, args: dict[str, Any], result: dict[str, Any], job: str) -> dict[str, Any]:
    """Write what was measured beside the model."""
    against = args["against"]["artifact"] if args.get("against") else None
    blobs = [result["against"]["golden"]] if result["against"] else []
    store.add_report(visitor, args["artifact"], "evaluation", result, against=against, blobs=blobs, job=job)
    return {"artifact_id": args["artifact"]}


def title(args: dict[str, Any]) -> str:
    """Name the job for the list of jobs."""
    other = args.get("against")
    return f"Compare {args['name']} with {other['name']}" if other else f"Evaluate {args['name']}"
