"""Apply a recipe and prove each step against the answers of the source."""

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from core.calls import compare, convert, diverge, float64, inspect, probe
from core.calls.bench import Bench
from core.domain.errors import Cancelled, PortolanError, Refused
from core.domain.format import Summary
from core.domain.integer_products import Sums
from core.domain.landmarks import Landmarks
from core.domain.measures import Sizes
from core.domain.recipe import Step
from core.domain.report import Parity, Verdict
from core.domain.transform import Converter, Tolerance
from core.domain.work import Code, Golden, Model
from core.memory.blobs import Blobs
from core.verbs import every_processor, stored_weights

UNSTEADY = (
    "The source itself answers otherwise in a second process, so its recorded answers say nothing about the result: "
    "it draws numbers at random, or reads what was never set. Export it without randomness."
)
CHUNK = 1024 * 1024
Tell = Callable[[float, str], None]
"""Takes how far one step is, from 0 to 1, and what it does now."""


@dataclass(frozen=True)
class Applied:
    """One step that ran: what came out, what it says about itself, and whether it answers like the source.

    ``tolerance`` is the loosest declared so far; ``alone`` is the comparison with the step before, made only where a
    later step fails.
    """

    step: Step
    model: Model
    summary: Summary
    graph: str | None
    parity: Parity
    tolerance: Tolerance
    alone: Parity | None = None
    origin: Summary | None = None
    """What the source of the first step says of itself."""

    landmarks: Landmarks = field(default_factory=Landmarks)
    """Where this result and those before it change their behaviour, by the names of the source's inputs."""


def apply(bench: Bench, source: Model, steps: list[tuple[Converter, Step]], golden: Golden) -> list[Applied]:
    """Run the steps in order and prove each result against the source; stop after the first that fails."""
    applied: list[Applied] = []
    for number, (converter, step) in enumerate(steps):
        place = f" (step {number + 1} of {len(steps)})" if len(steps) > 1 else ""

        def tell(share: float, text: str, number: int = number, place: str = place) -> None:
            bench.tools.progress(0.2 + 0.6 * (number + share) / len(steps), text + place)

        applied.append(advance(bench, source, applied, converter, step, golden, tell))
        if applied[-1].parity.verdict is Verdict.FAIL:
            break
    return applied


def advance(
    bench: Bench,
    source: Model,
    before: Sequence[Applied],
    converter: Converter,
    step: Step,
    golden: Golden,
    tell: Tell,
) -> Applied:
    """Take one step behind those before it, and prove its result against the source.

    It inherits the loosest tolerance declared so far, because the answers that it is compared with are the first
    source's. A step that fails behind another is also compared with that other alone.
    """
    model = before[-1].model if before else source
    tolerance = loosest(before[-1].tolerance, converter.tolerance) if before else converter.tolerance
    tell(0.0, f"Converting: {converter.title}")
    result = convert.ask(bench, model, converter, step.options, golden)
    tell(0.5, "Comparing in a fresh process")
    told = inspect.result(bench, result, "artifact" + converter.suffix, None if before else source)
    found, own = told.ingested, told.landmarks.renamed(renamed(told.ingested.summary, golden))
    landmarks = own.joined(before[-1].landmarks) if before else own
    parity = prove(bench, source, model, result, golden, tolerance)
    if parity.verdict is not Verdict.FAIL:
        parity = beyond(bench, source, result, golden, landmarks, parity)
    parity = every_processor.judged(bench, source, result, found.summary, golden, parity)
    parity = stored_weights.judged(bench, source, result, parity)
    origin = before[0].origin if before else told.source
    applied = Applied(step, result, found.summary, found.graph, parity, tolerance, None, origin, landmarks)
    if parity.verdict is not Verdict.FAIL or not before:
        return applied
    return replace(applied, alone=compared_alone(bench, model, result, converter.tolerance))


def compared_alone(bench: Bench, before: Model, after: Model, tolerance: Tolerance) -> Parity | None:
    """Compare a step's result with the step before it; None where that cannot be asked."""
    try:
        return compare.ask(bench, after, probe.ask(bench, before, None, sums=Sums.EXACT), tolerance, Sums.EXACT)
    except Cancelled:
        raise
    except PortolanError:
        return None


def guilty(applied: Sequence[Applied], titles: Sequence[str]) -> str | None:
    """Name in words the first step that fails; ``titles`` are the formats on the way, the source's first. None when none does."""
    number = next((n for n, one in enumerate(applied) if one.parity.verdict is Verdict.FAIL), None)
    if number is None:
        return None
    one, pair = applied[number], f"{titles[number]} to {titles[number + 1]}"
    words = f"Step {number + 1}, {pair} ({one.step.transform}), is the first to fail."
    if one.alone is None:
        return words
    if one.alone.verdict is Verdict.FAIL:
        return (
            f"{words} It also differs from the step before it alone, by {one.alone.max_abs:.2g}: this step is to blame."
        )
    return (
        f"{words} Compared with the step before it alone, it differs by {one.alone.max_abs:.2g} only: "
        "small differences from several steps add up."
    )


def prove(bench: Bench, source: Model, before: Model, target: Model, golden: Golden, tolerance: Tolerance) -> Parity:
    """Compare the target with the recorded answers of the source; on a FAIL, name where it parts from what it was made of (``before``) if both expose it.

    A source that does not answer as recorded in a process of its own proves nothing against the target.
    """
    parity = compare.ask(bench, target, golden, tolerance, Sums.EXACT)
    if parity.verdict is not Verdict.FAIL:
        return parity
    if _near(parity) and (excused := beside_float64(bench, source, target, golden, tolerance)):
        return excused
    itself = compare.ask(bench, source, golden, tolerance, Sums.EXACT)
    if itself.verdict is Verdict.FAIL:
        return replace(parity, verdict=Verdict.NOT_PROVEN, reason=f"{UNSTEADY} {itself.reason}")
    return replace(parity, diverges_at=diverge.ask(bench, before, target, golden))


def _near(parity: Parity) -> bool:
    """Say whether nothing but the size of differences made a comparison fail."""
    return parity.tolerance is not None and math.isfinite(parity.max_abs)


def beside_float64(bench: Bench, source: Model, target: Model, golden: Golden, tolerance: Tolerance) -> Parity | None:
    """Compare again beside the source in float64, and return what was found unless it is a FAIL still; None where that cannot be asked."""
    try:
        answers = float64.ask(bench, source, golden)
        found = compare.ask_beside(bench, target, golden, tolerance, answers) if answers else None
    except Cancelled:
        raise
    except PortolanError:
        return None
    return None if found is None or found.verdict is Verdict.FAIL else found


def renamed(summary: Summary, golden: Golden) -> dict[str, str]:
    """Return the source's name of each input of a result: the same one, else that in the same place."""
    theirs, ours = ([spec.name for spec in specs] for specs in (summary.inputs, golden.evidence.signature.inputs))
    return {name: name for name in ours} if set(theirs) == set(ours) else dict(zip(theirs, ours, strict=False))


def beyond(bench: Bench, source: Model, target: Model, golden: Golden, landmarks: Landmarks, parity: Parity) -> Parity:
    """Return FAIL where the result differs at constants that its own graph has and the source's has not, NOT PROVEN where it rejects sizes there, else the verdict as it was."""
    own = landmarks.beyond(golden.evidence.landmarks)
    if not own or parity.tolerance is None:
        return parity
    try:
        recorded = probe.ask_beyond(bench, source, golden, own)
    except Cancelled:
        raise
    except PortolanError:  # the source answers nothing there, or not within its limits: nothing to compare with
        return parity
    found = compare.ask(bench, target, recorded, parity.tolerance, Sums.EXACT)
    if found.verdict is Verdict.FAIL and _near(found):
        found = beside_float64(bench, source, target, recorded, parity.tolerance) or found
    checks = tuple(replace(check, name=f"{check.name} of the result") for check in found.checks)
    # That the few samples here prove nothing by themselves takes nothing from the verdict; what a check says does.
    bound = [Verdict.NOT_PROVEN] if found.bounded else []
    verdict = Verdict.worst([parity.verdict, *bound, *(check.verdict for check in checks if check.verdict)])
    if verdict is parity.verdict:
        return replace(parity, checks=(*parity.checks, *checks))
    bounded = verdict is Verdict.NOT_PROVEN and found.bounded
    why = f"{found.bounded} {parity.reason}" if bounded else found.reason
    reason = f"The result changes its behaviour where the source does not. {why}"
    return replace(parity, verdict=verdict, checks=(*parity.checks, *checks), reason=reason, bounded=found.bounded)


def check_consent(source: Model, consent: bool) -> None:
    """Refuse to load a file that only its owner's word can clear."""
    if source.format == "pickle" and not consent:
        raise Refused(
            "A pickle is a program: loading it can run code that its author chose.",
            "Tick the consent box (command line: --consent) if you trust the source of this file; it still runs only in the sandbox.",
        )


def check_code(code: Code | None, consent: bool) -> None:
    """Refuse to run a Python file without its owner's word."""
    if code and not consent:
        raise Refused(
            "A Python file is a program: building the network runs its code.",
            "Tick the consent box (command line: --consent) if you trust the source of this file; it still runs only in the sandbox.",
        )


def loosest(a: Tolerance, b: Tolerance) -> Tolerance:
    """Return the larger bound of each kind."""
    return Tolerance(max(a.absolute, b.absolute), max(a.relative, b.relative), max(a.flips, b.flips))


def sizes(blobs: Blobs, source: Model, target: Model) -> Sizes:
    """Return the bytes of both files, as deployed and zipped."""
    before, after = (zipped_size(blobs.path(one.sha256)) for one in (source, target))
    return Sizes(source.size, target.size, before, after)


def zipped_size(path: Path) -> int:
    """Return the bytes that DEFLATE at level 6 makes of a file (RFC 1951), read in pieces."""
    squeeze, size = zlib.compressobj(6), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            size += len(squeeze.compress(chunk))
    return size + len(squeeze.flush())
