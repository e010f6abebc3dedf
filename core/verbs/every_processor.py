"""Whether a verdict that was found here holds on every x86 processor: integers are added in another way where VNNI is missing."""

from dataclasses import replace

from core.calls import compare, inspect
from core.calls.bench import Bench
from core.domain.codec import decode
from core.domain.format import Summary
from core.domain.integer_products import Integers, Sums
from core.domain.report import Parity, Verdict
from core.domain.work import Golden, Model
from core.formats import FORMATS
from core.runtimes import cannot_run, runtime_for

TELLING = ("onnx", "onnx_external", "web_package", "openvino")
"""Formats whose summary says what a file multiplies in integers."""
SAME = (
    "On x86 processors without VNNI, both files run in the same engine, and sums of integers can overflow in both. "
    "That they overflow alike was not measured."
)


def judged(bench: Bench, source: Model, target: Model, summary: Summary, golden: Golden, parity: Parity) -> Parity:
    """Return the verdict on a conversion for every x86 processor, where the sums of the target can saturate on some.

    FAIL where the engine's own arithmetic without VNNI answers otherwise than the source; NOT PROVEN where it saturates
    and does not show, or cannot be asked; as it was where the source is the same to the same engine.
    """
    held = facts(summary)
    if held is None and target.format not in TELLING and _same_engine(source, target):
        held = audited(bench, source)
    if held is None or not held.at_risk:
        return parity
    if _same_engine(source, target) and (before := audited(bench, source)) is not None and before.at_risk:
        return replace(parity, reason=f"{parity.reason} {SAME} Safe on: {held.safe_on}")
    if parity.verdict is not Verdict.FAIL:
        parity = _without_vnni(bench, target, golden, parity)
    return replace(parity, reason=f"{parity.reason} Safe on: {held.safe_on}")


def facts(summary: Summary) -> Integers | None:
    """Return what a summary says of integer products; None where its format does not tell."""
    told = summary.notes.get("integers")
    return decode(Integers, told) if told else None


def audited(bench: Bench, model: Model) -> Integers | None:
    """Return what a file says of its integer products; None where its format does not tell."""
    if model.format not in TELLING:
        return None
    (found,) = inspect.audit(bench, [model], "model" + FORMATS[model.format].suffixes[0])
    return facts(found.summary)


def _same_engine(source: Model, target: Model) -> bool:
    known = not cannot_run(source.format) and not cannot_run(target.format)
    return known and runtime_for(source.format) is runtime_for(target.format)


def _without_vnni(bench: Bench, target: Model, golden: Golden, parity: Parity) -> Parity:
    """Return the verdict of the engine's own kernels for processors without VNNI, and never more than NOT PROVEN."""
    if parity.tolerance and not cannot_run(target.format) and runtime_for(target.format).without_vnni:
        other = compare.ask(bench, target, golden, parity.tolerance, Sums.WITHOUT_VNNI)
        if other.verdict is Verdict.FAIL:
            return replace(other, reason=f"With the engine's kernels for x86 processors without VNNI: {other.reason}")
    return replace(
        parity,
        verdict=Verdict.NOT_PROVEN,
        reason=f"{parity.reason} This holds on processors with VNNI; on others, sums of integers can overflow, "
        "and these samples do not show whether that changes answers. Test the file on the processor that will run it.",
    )
