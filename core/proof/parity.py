"""Judges whether the target answers what the source answered, element by element and prediction by prediction.

FAIL: an element lies beyond ``absolute + relative * |source|``, a shape, a kind or a NaN differs, the target refuses, or
more predictions changed than declared. NOT PROVEN: nothing failed, but fewer than 30 samples, or no single and triple
batch where the batch is free, were compared. PASS: all else. A changed prediction between two classes whose scores in
the source lie within the tolerance of each other is a tie: it is counted and shown, and does not fail.
"""

import math
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from core.domain.errors import first_line
from core.domain.report import Check, Count, Parity, Verdict
from core.domain.runtime import Session
from core.domain.transform import Tolerance
from core.proof import golden, rounding
from core.proof.directed import AWAY, DIGITS, STORED
from core.proof.golden import Case, Golden
from core.proof.predictions import changed, counted, label, prediction
from core.proof.probes import versions
from core.proof.samples import MISSING
from core.proof.variation import ORDINARY, Variation, unproven

NEEDED = 30
"""With no failure in n samples, the share of failing inputs is below 3/n with 95 % confidence (rule of three)."""

SHARES = (0.5, 0.9, 0.99)
"""The percentiles of the differences that a check tells."""
EDGES = np.logspace(-12, 6, 18 * 20 + 1)
"""Bounds of the bins in which differences are counted, twenty a decade, so that a percentile is at most 12 % too high."""

OWN_LOSS = f"{rounding.OWN:.0f} times what float32 loses in the source itself (which was asked in float64 too)"
EXAMPLES = (2, 5, 8, 16)
"""Batch sizes that people give an exporter as its example, besides those that every proof asks."""

NEVER = {
    DIGITS: "lie so near to each other",
    STORED: "are the very samples that the model learned from",
    AWAY: "lie so far from zero beside their spread",
}
"""What inputs must not do, by the case on which a result answers otherwise; for all others, they are too large."""


@dataclass
class Tally:
    """What was found so far under one case name; ``answered`` are the batch sizes that came back in the source's shape, ``refused`` those that did not."""

    samples: int = 0
    max_abs: float = 0.0
    max_rel: float = 0.0
    spread: np.ndarray = field(default_factory=lambda: np.zeros(len(EDGES) + 1, np.int64))
    signal: float = 0.0
    noise: float = 0.0
    beyond: int = 0
    own: int = 0
    flips: int = 0
    ties: int = 0
    predicted: int = 0
    counted: bool = True
    reason: str = ""
    bounds: bool = False
    faults: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    answered: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)


def compare(
    session: Session, path: Path, tolerance: Tolerance, seed: int, exact: rounding.Exact | None = None
) -> Parity:
    """Replay the golden inputs on the target and compare its answers with the recorded ones.

    ``exact`` are the answers of the source in float64: where it loses more itself than the tolerance, so may the target.
    """
    recorded = golden.read(path)
    tallies: dict[str, Tally] = {}
    variations = [Variation(name) for name in recorded.outputs]
    for number, case in enumerate(recorded.cases):
        if case.stored:
            tally = tallies.setdefault(case.name, Tally(counted=case.counted, reason=case.reason, bounds=case.bounds))
            _replay(session, recorded, number, tally, tolerance, variations, exact or {})
    _hear(recorded, variations)
    counted = [_check(name, tally, tolerance) for name, tally in tallies.items() if tally.counted]
    aside = [_aside(name, tally) for name, tally in tallies.items() if not tally.counted]
    aside += [_unasked(case) for case in recorded.cases if case.name == MISSING and not case.stored]
    missing = recorded.secondhand or _rejected(tallies) or _missing(recorded, counted)
    bounded = _bounded(tallies, tolerance) if tolerance.bounds else ""
    if tolerance.bounds:
        missing = missing or bounded or unproven(variations)
    baked = _baked(session, recorded, [tally for tally in tallies.values() if tally.counted])
    verdict = Verdict.worst([check.verdict or Verdict.NOT_PROVEN for check in counted])
    if (verdict is Verdict.PASS and missing) or recorded.unsteady:
        verdict, missing = Verdict.NOT_PROVEN, recorded.unsteady or missing
    own = sum(tally.own for tally in tallies.values() if tally.counted)
    told = baked, _reason(counted, verdict, missing, own)
    return Parity(
        verdict=verdict,
        checks=tuple(counted),
        tolerance=tolerance if tolerance.bounds else None,
        seed=seed,
        versions=recorded.versions | versions(),
        machine=machine(),
        reason=" ".join(dict.fromkeys(filter(None, (*told, *recorded.notes, session.reading, *aside)))),
        bounded=bounded,
    )


def _hear(recorded: Golden, variations: list[Variation]) -> None:
    """Tell each output what one rounding of the inputs changes in it."""
    for number, moved in recorded.echoes:
        samples = recorded.cases[number].samples
        for variation, a, b in zip(variations, recorded.case_outputs(number), moved, strict=True):
            variation.hear(_samples_first(a, samples), _samples_first(b, samples))


def machine() -> str:
    """Name the processor and the number of its cores."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        model = ""
    return f"{model or platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def _replay(
    session: Session,
    recorded: Golden,
    number: int,
    tally: Tally,
    tolerance: Tolerance,
    variations: list[Variation],
    exact: rounding.Exact,
) -> None:
    case = recorded.cases[number]
    tally.samples += case.samples
    expected = recorded.case_outputs(number)
    try:
        got = list(session.run(feed(session, recorded.case_inputs(number))).values())
    except Exception as error:
        first = first_line(error)[:200]
        what = case.what or f"{case.samples} samples"
        if case.counted and case.bounds and tolerance.bounds:
            tally.samples -= case.samples
            tally.rejected.append(what)
            return
        tally.faults.append(f"the result rejects this input ({what}): {type(error).__name__}: {first}")
        tally.refused.add(case.samples)
        return
    if len(got) != len(expected):
        tally.faults.append(f"{len(got)} outputs; the source has {len(expected)}")
        return
    faults = [fault for a, b, n in zip(expected, got, recorded.outputs, strict=True) if (fault := _mismatch(n, a, b))]
    tally.faults.extend(faults)
    same = all(a.shape == b.shape for a, b in zip(expected, got, strict=True))
    (tally.answered if same else tally.refused).add(case.samples)
    if not faults:
        for place, (a, b) in enumerate(zip(expected, got, strict=True)):
            _differences(a, b, tally, tolerance, exact.get(f"c{number}/out{place}"))
        if case.counted or case.name in ORDINARY:
            for variation, a, b in zip(variations, expected, got, strict=True):
                variation.add(case.name, _samples_first(a, case.samples), _samples_first(b, case.samples))
        tally.faults.extend(_unequal(expected, got, recorded.outputs))
        _flips(expected, got, case.samples, tally, tolerance)


def _baked(session: Session, recorded: Golden, tallies: list[Tally]) -> str:
    """Say that a converter fixed the batch that the source leaves free, where batches of some sizes come back and others do not."""
    answered, refused = (set().union(*(getattr(t, name) for t in tallies)) for name in ("answered", "refused"))
    if not recorded.free_batch or not refused or answered & refused or len(answered) > 1:
        return ""
    firsts = [spec.shape[0] for spec in session.signature.inputs if spec.shape]
    fixed = answered or {dim for dim in firsts if isinstance(dim, int)} or _accepted(session, recorded)
    if not fixed:
        return ""
    words = " or ".join(str(n) for n in sorted(fixed))
    return (
        f"The converter fixed the batch size: the source takes any number of samples, but the result takes {words} "
        f"and not {_listed(refused - fixed)}. "
        "Look for a Reshape with a fixed batch size in the model, and write -1 there."
    )


def _accepted(session: Session, recorded: Golden) -> set[int]:
    """Return the first of a few batch sizes, cut from recorded samples, that a target takes which refused all others."""
    widest = max((n for n, case in enumerate(recorded.cases) if case.stored), key=lambda n: recorded.cases[n].samples)
    inputs = recorded.case_inputs(widest)
    for size in EXAMPLES:
        try:
            got = session.run(feed(session, {name: array[:size] for name, array in inputs.items()}))
        except Exception:  # noqa: S112 -- a refusal is an answer here
            continue
        if all(array.ndim and len(array) == size for array in got.values()):
            return {size}
    return set()


def _listed(numbers: set[int]) -> str:
    return ", ".join(str(n) for n in sorted(numbers))


def feed(session: Session, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Match recorded inputs to the target's by name, else by position; narrow where the target is narrower.

    A target that takes named columns gets those of the source's one table, one that does not say its types what was recorded.
    """
    specs = session.signature.inputs
    told = not session.guessed
    table = next(iter(inputs.values()), None)
    if len(inputs) == 1 and table is not None and table.ndim == 2 and len(specs) == table.shape[1] > 1:
        inputs = {spec.name: table[:, place : place + 1] for place, spec in enumerate(specs)}
    pairs = (
        [(s, inputs[s.name]) for s in specs]
        if {s.name for s in specs} == set(inputs)
        else list(zip(specs, inputs.values(), strict=True))
    )
    return {
        s.name: value.astype(s.dtype)
        if told and s.shape is not None and s.dtype not in ("str", "bfloat16") and value.dtype.kind != "U"
        else value
        for s, value in pairs
    }


def _mismatch(name: str, a: np.ndarray, b: np.ndarray) -> str:
    """Return what is wrong before any number is looked at: shape, kind, or the places without a finite number."""
    if a.shape != b.shape:
        return f"output {name!r} has the shape {b.shape}, but the source has {a.shape}"
    if a.dtype.kind != b.dtype.kind and not (a.dtype.kind in "iu" and b.dtype.kind in "iu"):
        return f"output {name!r} is {b.dtype}, but the source gives {a.dtype}"
    if a.dtype.kind not in "fcbiuU":
        return f"output {name!r} is {a.dtype}, which cannot be compared here"
    if a.dtype.kind in "fc":
        same = (np.isfinite(a) & np.isfinite(b)) | (np.isnan(a) & np.isnan(b)) | ((a == b) & ~np.isfinite(a))
        if not same.all():
            return f"output {name!r} is not finite where the source is, or the reverse, in {int((~same).sum())} places"
    return ""


def _differences(
    a: np.ndarray, b: np.ndarray, tally: Tally, tolerance: Tolerance, exact: np.ndarray | None = None
) -> None:
    if a.dtype.kind not in "fc" or not a.size:
        return
    with np.errstate(invalid="ignore", over="ignore"):
        bound = tolerance.absolute + tolerance.relative * np.abs(a.astype(np.float64) if a.dtype.kind == "f" else a)
    allowed = rounding.allowed(a, exact, bound)
    finite, wide = np.isfinite(a), np.complex128 if a.dtype.kind == "c" else np.float64
    a, b, bound, allowed = a[finite].astype(wide), b[finite].astype(wide), bound[finite], allowed[finite]
    gap, size = np.abs(a - b), np.abs(a)
    tally.max_abs = max(tally.max_abs, float(gap.max(initial=0.0)))
    # Near zero a share of the value says nothing: below the absolute tolerance it is taken of that.
    tally.max_rel = max(tally.max_rel, float((gap / np.maximum(size, max(tolerance.absolute, 1e-12))).max(initial=0.0)))
    tally.spread += np.bincount(np.searchsorted(EDGES, gap.ravel()), minlength=len(EDGES) + 1)
    tally.signal += float((size * size).sum())
    tally.noise += float((gap * gap).sum())
    tally.beyond += int((gap > allowed).sum())
    tally.own += int(((gap > bound) & (gap <= allowed)).sum())


def _unequal(expected: list[np.ndarray], got: list[np.ndarray], names: tuple[str, ...]) -> list[str]:
    """Return what differs in outputs of whole numbers, truth or text; the predicted class is judged by its flips."""
    place = label(expected)
    wrong = {
        names[n]: int((a != b).sum())
        for n, (a, b) in enumerate(zip(expected, got, strict=True))
        if n != place and a.dtype.kind in "iubU"
    }
    return [f"output {name!r} differs in {count} of its integers or texts" for name, count in wrong.items() if count]


def _samples_first(out: np.ndarray, samples: int) -> np.ndarray:
    """Return an output of steps, samples and scores with the samples first."""
    return out.swapaxes(0, 1) if out.ndim >= 3 and out.shape[0] != samples == out.shape[1] else out


def _flips(expected: list[np.ndarray], got: list[np.ndarray], samples: int, tally: Tally, tolerance: Tolerance) -> None:
    """Count the predictions that changed: those of the samples, or of the places of a mask."""
    source, target = ([_samples_first(out, samples) for out in outputs] for outputs in (expected, got))
    before, after = prediction(source), prediction(target, source)
    if before is None or after is None:
        return
    flags = changed(before[0], after[0])
    tally.predicted += counted(before[0], after[0], samples)
    tally.flips += int(flags.sum())
    if tolerance.bounds and before[1] is not None and flags.any():
        tally.ties += int((flags & _tied(before[1], tolerance)).sum())


def _tied(scores: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    """Say for each sample whether its two best classes lie within the tolerance of each other."""
    best = np.sort(scores.astype(np.float64), axis=-1)[..., -2:]
    # Either score may move by the tolerance, the best one down and the next one up.
    close = (best[..., 1] - best[..., 0]) <= 2 * (tolerance.absolute + tolerance.relative * np.abs(best[..., 1]))
    return np.asarray(close.reshape(len(scores), -1).any(axis=1))


def _check(name: str, tally: Tally, tolerance: Tolerance) -> Check:
    wrong = tally.flips - tally.ties
    failed = bool(tally.faults) or tally.beyond > 0 or wrong > tolerance.flips * max(1, tally.predicted)
    parts = list(dict.fromkeys(tally.faults))[:3]
    if tally.beyond:
        parts.append(f"{tally.beyond} {'number is' if tally.beyond == 1 else 'numbers are'} beyond the tolerance")
    if tally.own:
        parts.append(f"{tally.own} beyond the tolerance, but within {OWN_LOSS}")
    if tally.flips:
        ties = f", {tally.ties} of them ties within the tolerance" if tally.ties else ""
        parts.append(f"{tally.flips} of {tally.predicted} predictions changed{ties}")
    if tally.rejected:
        parts.append(f"the result rejects {', '.join(tally.rejected)}")
    return Check(
        name=name,
        samples=tally.samples,
        max_abs=math.inf if tally.faults else tally.max_abs,
        max_rel=None if not tolerance.bounds else math.inf if tally.faults else tally.max_rel,
        sqnr_db=10 * math.log10(tally.signal / tally.noise) if tally.noise > 0 and tally.signal > 0 else None,
        flips=Count(tally.flips, tally.predicted) if tally.predicted else None,
        verdict=Verdict.FAIL if failed else (_held(tally) if tolerance.bounds else None),
        detail="; ".join(parts),
        percentiles=_percentiles(tally),
        own=tally.own,
    )


def _held(tally: Tally) -> Verdict:
    """Return the verdict on a case without a wrong answer."""
    return Verdict.NOT_PROVEN if tally.rejected else Verdict.PASS


def _percentiles(tally: Tally) -> tuple[float, ...]:
    """Return the difference below which each of ``SHARES`` of all numbers lies; nothing where no numbers were compared."""
    below = tally.spread.cumsum()
    if tally.faults or not below[-1]:
        return ()
    edges = np.concatenate([[0.0], EDGES[1:], [math.inf]])
    return tuple(min(float(edges[np.searchsorted(below, share * below[-1])]), tally.max_abs) for share in SHARES)


def _missing(recorded: Golden, counted: list[Check]) -> str:
    """Return what is still to be compared before a PASS may be said, or nothing."""
    n = sum(check.samples for check in counted)
    if n < NEEDED:
        return f"Only {n} samples could be compared; {NEEDED - n} more would settle it: add a data set."
    lacking = [
        name for name in ("batch 1", "batch 3") if recorded.free_batch and name not in {check.name for check in counted}
    ]
    return f"The source did not answer {' and '.join(lacking)}, so other batch sizes are not proven." if lacking else ""


def _rejected(tallies: dict[str, Tally]) -> str:
    """Say which sizes the result does not take, or nothing."""
    found = {name: ", ".join(tally.rejected) for name, tally in tallies.items() if tally.rejected}
    told = "; ".join(f"{name} that the source takes: {which}" for name, which in found.items())
    return (
        f"The result rejects {told}. Use it only where your inputs have other sizes, and test it there."
        if found
        else ""
    )


def _bounded(tallies: dict[str, Tally], tolerance: Tolerance) -> str:
    """Say beyond which numbers the result answers otherwise, or nothing."""
    for name, tally in tallies.items():
        if not tally.counted and tally.bounds and (check := _check(name, tally, tolerance)).verdict is Verdict.FAIL:
            return (
                f"The result answers as the source does only within bounds: on {name!r} it does not ({check.detail}). "
                f"Use it only where your inputs never {NEVER.get(name, 'get so large')}."
            )
    return ""


def _aside(name: str, tally: Tally) -> str:
    """Say in a sentence what was seen on samples that do not count, and why they do not."""
    seen = "; ".join(dict.fromkeys(tally.faults)) or f"largest difference {tally.max_abs:.3g}"
    changed = f", {tally.flips} of {tally.predicted} predictions changed" if tally.predicted else ""
    noun = "sample" if tally.samples == 1 else "samples"
    return f"Reported separately, {tally.samples} {noun} {name!r}: {seen}{changed}. {tally.reason}"


def _unasked(case: Case) -> str:
    """Say why the result was not asked on samples that its owner may have."""
    return f"Not compared, {case.samples} samples {case.name!r}: {case.reason}"


def _reason(counted: list[Check], verdict: Verdict, missing: str, own: int) -> str:
    n = sum(check.samples for check in counted)
    if verdict is Verdict.FAIL:
        worst = next(check for check in counted if check.verdict is Verdict.FAIL)
        return f"The answers are not the same on {worst.name!r}: {worst.detail}."
    if verdict is Verdict.NOT_PROVEN:
        unbound = "No tolerance applies to answers that are changed on purpose." if counted else ""
        return missing or unbound or "Nothing could be compared: add a data set."
    numbers = "one number, which is" if own == 1 else f"{own:,} numbers, which are"
    but = f", but for {numbers} within {OWN_LOSS}" if own else ""
    return f"All answers on {n:,} samples are within the tolerance{but}; with 95 % confidence, fewer than {300 / n:.2g} % of such inputs would not be."
