"""Whether a result differs from its source by more than its proof allows and by more than the source differs from itself."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from benchmarks.fuzz.specimen import Answer, Inputs, Specimen
from core.domain.transform import Tolerance

NOISE = 4.0
"""How many times a source's own uncertainty a difference may be before it counts."""
JUMP = 100.0
"""How many times the tolerance a source itself moves, one rounding beside an input, before its answer is said to jump there."""
WITNESSES = 16
"""Samples that other opinions on the source are asked about."""
Array = np.ndarray


@dataclass(frozen=True)
class Refuted:
    """One sample on which source and result part: the grade is ``sure`` where nothing excuses it.

    ``edge``: the source itself answers otherwise one step of rounding beside the input. ``disputed``: another reading of
    the same file answers otherwise too. ``not finite``: the source gives no number there, or one beside it, or was given none.
    """

    grade: str
    kind: str
    output: int
    inputs: dict[str, list[object]]
    source: list[object]
    result: list[object]
    others: list[list[object]]
    rows: int


def refuted(
    kind: str, inputs: Inputs, ours: list[Array], theirs: list[Array], specimen: Specimen, tolerance: Tolerance
) -> Refuted | None:
    """Return the first sample that contradicts a PASS, or None; ``ours`` are the source's answers, ``theirs`` the result's."""
    shared = list(zip(ours, theirs, strict=False))
    for place, (a, b) in enumerate(shared):
        if a.shape != b.shape:
            words = [str(a.shape)], [str(b.shape)]
            return Refuted("sure", kind, place, {}, list(words[0]), list(words[1]), [], len(a) if a.ndim else 1)
        rows = np.flatnonzero(_beyond(a, b, tolerance))
        rows = rows[~_tied(ours, rows, len(a), tolerance)] if a.dtype.kind in "iuU" and len(rows) else rows
        if len(rows):
            return _graded(kind, place, inputs, rows, a, b, specimen, tolerance)
    return None


def _beyond(a: Array, b: Array, tolerance: Tolerance) -> Array:
    """Say for each sample whether a number differs by more than the tolerance."""
    if a.dtype.kind == "f":
        with np.errstate(all="ignore"):
            wide, other = a.astype(np.float64), b.astype(np.float64)
            bad = ~(np.abs(wide - other) <= _allowed(a, tolerance))
        bad &= ~((wide == other) | (np.isnan(wide) & np.isnan(other)))
    else:
        bad = a.astype(np.str_) != b.astype(np.str_) if a.dtype.kind in "OU" else a != b
    return np.asarray(bad.reshape(len(a), -1).any(axis=1) if a.ndim else bad.reshape(1))


def _allowed(a: Array, tolerance: Tolerance) -> Array:
    """Return how far each number may move: by the tolerance, and by two steps of its own type where these are larger."""
    wide = np.abs(a.astype(np.float64))
    steps = 2 * np.spacing(np.abs(a)).astype(np.float64) if a.dtype == np.float16 else 0.0
    return np.asarray(np.maximum(tolerance.absolute + tolerance.relative * wide, steps))


def _tied(ours: list[Array], rows: Array, samples: int, tolerance: Tolerance) -> Array:
    """Say for these samples whether the two best scores of the source lie within the tolerance of each other."""
    tied = np.zeros(len(rows), bool)
    for scores in ours:
        if scores.dtype.kind == "f" and scores.ndim >= 2 and len(scores) == samples and scores.shape[-1] > 1:
            best = np.sort(scores[rows].astype(np.float64), axis=-1)[..., -2:]
            near = best[..., 1] - best[..., 0] <= 2 * (tolerance.absolute + tolerance.relative * np.abs(best[..., 1]))
            tied |= near.reshape(len(rows), -1).any(axis=1)
    return tied


def _graded(
    kind: str,
    place: int,
    inputs: Inputs,
    rows: Array,
    a: Array,
    b: Array,
    specimen: Specimen,
    tolerance: Tolerance,
) -> Refuted | None:
    """Ask the source again: beside the inputs, and by other readings; the surest sample is the one to show."""
    whole = [] if specimen.exact else [Others(moved) for moved in _beside(inputs, specimen, place)]
    few = rows[:WITNESSES]
    part = {name: taken(array, few, len(a)) for name, array in inputs.items()}
    second = [
        o for answer in specimen.answers[1:] if (o := _asked(answer, part, place)) is not None and len(o) == len(few)
    ]
    moves = any(array.dtype.kind == "f" for array in inputs.values())
    floats = [array for array in part.values() if array.dtype.kind == "f" and len(array) == len(few)]
    best: Refuted | None = None
    for number, row in enumerate(few):
        others = [side.at(row) for side in whole if side.fits(a)]
        opinions = [one[number] for one in second]
        asked = all(bool(np.isfinite(one[number]).all()) for one in floats)
        grade = _grade(a[row], b[row], others, opinions, tolerance, moves=moves, finite=asked)
        if grade and (best is None or GRADES.index(grade) < GRADES.index(best.grade)):
            best = Refuted(
                grade, kind, place, {n: _plain(v[number : number + 1]) for n, v in part.items()},
                _plain(a[row]), _plain(b[row]), [_plain(one) for one in (*opinions, *others)], len(rows),
            )  # fmt: skip
    return best


GRADES = ("sure", "disputed", "edge", "not finite")


@dataclass(frozen=True)
class Others:
    """What the source answers to inputs that are one step of rounding away."""

    answer: Array

    def fits(self, a: Array) -> bool:
        """Say whether it has the same shape."""
        return self.answer.shape == a.shape

    def at(self, row: int) -> Array:
        """Return one sample."""
        return np.asarray(self.answer[row])


def _grade(
    a: Array, b: Array, others: list[Array], opinions: list[Array], tolerance: Tolerance, *, moves: bool, finite: bool
) -> str:
    """Return how sure one difference is, or nothing where it is within what the source itself leaves open; ``moves`` says that the inputs have fractions, ``finite`` that they are numbers."""
    if a.dtype.kind != "f":
        if any((one != a).any() for one in opinions if one.shape == a.shape):
            return "disputed"
        return "edge" if moves and any((one != a).any() for one in others) else "sure"
    with np.errstate(all="ignore"):
        wide = a.astype(np.float64)
        if (np.isfinite(wide) != np.isfinite(b)).any():
            steady = finite and all(np.isfinite(one).all() for one in (wide, *others, *opinions))
            return "sure" if steady else "not finite"
        spread = np.max(_spread(wide, others), initial=0.0)
        allowed = _allowed(a, tolerance)
        wrong = np.abs(wide - b) > allowed + NOISE * spread
        if not wrong.any():
            return "edge" if spread > JUMP * allowed.max(initial=0.0) else ""
        apart = _spread(wide, [one for one in opinions if one.shape == a.shape])
        return "disputed" if (wrong & (apart > allowed)).any() else "sure"


def _spread(a: Array, others: Iterable[Array]) -> Array:
    gaps = [np.abs(np.nan_to_num(one.astype(np.float64) - a, nan=np.inf)) for one in others]
    return np.asarray(np.max(gaps, axis=0)) if gaps else np.zeros_like(a)


def _beside(inputs: Inputs, specimen: Specimen, place: int) -> list[Array]:
    """Return the source's answers with other roundings, and to the inputs moved by one step, up, down, and either way, of each number and of the largest."""
    found = [one for answer in specimen.shaken if (one := _asked(answer, inputs, place)) is not None]
    for seed, ways in enumerate(((np.inf,), (-np.inf,), (-np.inf, np.inf), (-np.inf, np.inf))):
        rng = np.random.default_rng(seed)
        moved = {n: (_moved if seed < 3 else _shaken)(v, ways, rng) for n, v in inputs.items()}
        if (one := _asked(specimen.answers[0], moved, place)) is not None:
            found.append(one)
    return found


def _shaken(value: Array, ways: tuple[float, ...], rng: np.random.Generator) -> Array:
    """Move each number by what float32 rounds off the largest one of its sample."""
    if value.dtype.kind != "f":
        return _moved(value, ways, rng)
    rows = np.nan_to_num(np.abs(value.astype(np.float64)), posinf=0.0).reshape(len(value), -1).max(axis=1, initial=0.0)
    steps = rows.reshape(-1, *[1] * (value.ndim - 1)) * 2.0**-23 * rng.choice([-1.0, 1.0], value.shape)
    return np.asarray(value + steps.astype(value.dtype), value.dtype)


def _moved(value: Array, ways: tuple[float, ...], rng: np.random.Generator) -> Array:
    if value.dtype.kind in "iu" and value.dtype.itemsize >= 4:
        return np.asarray(
            value + (value * 2.0**-23 * np.sign(ways[0]) * (rng.random(value.shape) < 0.5)).astype(value.dtype)
        )
    if value.dtype.kind != "f":
        return value
    small = np.float32 if value.dtype == np.float64 else value.dtype
    narrow = value.astype(small)
    step = np.nextafter(narrow, rng.choice(np.array(ways), value.shape).astype(small))
    return np.asarray(value + (step.astype(value.dtype) - narrow.astype(value.dtype)), value.dtype)


def _asked(answer: Answer, inputs: Inputs, place: int) -> Array | None:
    try:
        with np.errstate(all="ignore"):
            return np.asarray(answer(inputs)[place])
    except Exception:
        return None


def taken(array: Array, rows: Array, samples: int) -> Array:
    """Return some samples of an input; what all samples share is returned whole."""
    return array[rows] if array.ndim and len(array) == samples else array


def _plain(array: Array) -> list[object]:
    """Return the first numbers as JSON can say them: what is no number as a text."""
    return [
        str(n) if isinstance(n, float) and not np.isfinite(n) else n
        for n in np.asarray(array).reshape(-1)[:48].tolist()
    ]
