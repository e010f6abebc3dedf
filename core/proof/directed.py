"""Inputs that go where a model changes its behaviour: on and beside the constants of its graph, over its tables, beyond the limits of types, at other sizes."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from core.domain.artifact import TensorSpec
from core.domain.landmarks import Landmarks
from core.domain.runtime import UNKNOWN_INTEGER, Domain, Session
from core.proof.golden import Case
from core.proof.samples import SIZE, Sampler

Questions = Iterator[tuple[Case, dict[str, np.ndarray]]]

MOST = 160
"""Numbers of one input that are tried, evenly chosen where there are more."""
MOST_WORDS = 256
CALL = 48
"""Samples in one call."""
ROWS = 8
LADDER = (1, 2, 13, 33, 65, 129, 320)
"""Sizes of dynamic dimensions beside those that the graph names; three lie behind powers of two, where buffers are cut."""
FACTORS = (2, 3, 5)
"""Times the size that a model takes which refuses the usual one."""
FEW = 13
"""Up to this size three samples are asked."""
LONGEST = 2048
SMALLEST, SEQUENCES = 3, 3
"""The shortest sequence whose lengths are tried, and how many such sizes."""
SIZE_BYTES = 2_000_000
"""Bytes of input that one call at another size may take."""
ID_NUMBERS = 4096
"""Ids that are looked up in all; of a larger table, so many rows are drawn."""
SMALL_INTEGERS, HALVES, FLOATS, INTEGERS, DEEP = 100, 60_000, 2**24, 2**31 - 1, 2.0**53
"""Whole numbers that people count with, that floats of 16 and of 32 bits hold, 32 bits themselves, and floats of 64."""
NEIGHBOURS = 32
ONE = np.ones(1)
ENDS = (INTEGERS, -INTEGERS - 1, 0, INTEGERS, INTEGERS, 1, -INTEGERS - 1, -INTEGERS - 1, INTEGERS - 1)
ADDED = (INTEGERS, 1, 0, INTEGERS, 1, 1, -INTEGERS - 1, -1)
"""The same, of one sign a few at a time, so that their sum is larger yet."""
BEYOND = (INTEGERS + 1, 1, 0, 2 * INTEGERS + 1, 1, 1, 2 * INTEGERS + 2, -INTEGERS - 2)
"""The first numbers that 32 bits do not hold, with a sign and without one, among small ones."""
AT_ENDS = "The model computes with whole numbers, and these are the largest that 32 bits hold."
IN_FLOATS = (
    "The model computes with whole numbers, and these are larger than floats of 32 bits tell from their neighbours."
)
DIGITS, STORED, AWAY = "digits of float64", "stored samples", "far from zero"
OFFSET = 3000.0
APART = 2.0**-30
"""Of a number, what float64 tells and float32 does not."""
LESS = "A variance is taken as the mean of squares less the square of the mean, and of numbers that lie far from zero float32 loses it."
KEPT = "The model keeps these samples and compares others with them; of those that are equally near, any may count."
IN_FLOAT32 = (
    "The model compares or rounds numbers of float64, and these are told apart by digits that float32 does not have."
)
REASON = "The model computes with whole numbers, and these are larger than 32 bits hold."


@dataclass(frozen=True)
class Plan:
    """What is tried, by the name of the input."""

    numbers: dict[str, np.ndarray]
    words: dict[str, tuple[str, ...]]
    ids: dict[str, np.ndarray]
    whole: dict[str, bool]
    """Inputs of whole numbers of any size, and whether numbers are reckoned with, so that large ones matter too."""
    close: tuple[str, ...]
    """Inputs of float64 whose last digits decide."""
    far: tuple[str, ...]
    """Inputs whose spread is lost far from zero."""
    sizes: tuple[int, ...]
    notes: tuple[str, ...]


def known(session: Session) -> Landmarks:
    """Return what an engine tells of its inputs without a graph: the ends of tables, categories, thresholds of trees, and what is reckoned with."""
    domains = {spec.name: session.domains.get(spec.name, Domain()) for spec in session.signature.inputs}
    tables = {name: one.bound for name, one in domains.items() if one.kind == "ids" and one.bound > 2 and not one.low}
    words = {name: tuple(map(str, one.values)) for name, one in domains.items() if one.kind == "choice"}
    names, near = list(domains), dict[str, tuple[float, ...]]()
    for place, found in getattr(session, "thresholds", {}).items():
        name = names[min(place, len(names) - 1)]
        near[name] = (*near.get(name, ()), *map(float, found))
    told = Landmarks(
        exact={name: (0.0, bound - 1.0, -1.0, float(-bound)) for name, bound in tables.items()},
        near=near,
        words=words,
        wide=getattr(session, "wide", frozenset()),
        close=getattr(session, "close", frozenset()),
    )
    return told.joined(session.landmarks)


def plan(sampler: Sampler, landmarks: Landmarks) -> Plan:
    """Choose what to try of what the graph names."""
    found = {spec.name: _around(spec, sampler, landmarks) for spec in sampler.specs}
    numbers = {name: _some(values) for name, values in found.items() if len(values)}
    ids = {spec.name: _ids(sampler, spec) for spec in sampler.specs if _known_ids(sampler, spec)}
    told = [f"{sum(map(len, numbers.values()))} numbers at and beside the constants of the graph"] if numbers else []
    told += [f"{len(rows):,} of {sampler.domain(name).bound:,} ids of {name!r}" for name, rows in ids.items()]
    sizes = _sizes(sampler, landmarks)
    told += [f"the sizes {', '.join(map(str, sizes))}"] if sizes else []
    return Plan(
        numbers,
        {spec.name: _words(sampler, spec, landmarks) for spec in sampler.specs if spec.dtype == "str"},
        ids,
        {
            spec.name: spec.name in landmarks.wide
            for spec in sampler.specs
            if spec.name not in landmarks.sizing
            and (spec.name in landmarks.wide or sampler.domain(spec.name) == UNKNOWN_INTEGER)
        },
        tuple(spec.name for spec in sampler.specs if spec.name in landmarks.close),
        tuple(spec.name for spec in sampler.specs if spec.name in landmarks.far),
        sizes,
        (f"Also asked: {'; '.join(told)}.",) if told else (),
    )


def questions(sampler: Sampler, plan: Plan) -> Questions:
    """Yield the cases, each filled with one number first, then mixed with ordinary ones."""
    batch = sampler.fixed_batch
    for place, (name, values) in enumerate(plan.numbers.items()):
        yield from _filled(sampler, "constants", name, values, 3000 + place)
        yield Case("constants", f"{name}, mixed", batch or 16), _mixed(sampler, name, values, batch or 16, 3100 + place)
    for place, (name, words) in enumerate(plan.words.items()):
        yield from _filled(sampler, "words", name, np.array(words), 3200 + place)
    yield from _looked_up(sampler, plan)
    yield from _neighbours(sampler, plan)
    yield from _digits(sampler, plan)
    yield from _stored(sampler)
    yield from _away(sampler, plan)
    for name, reckoned in plan.whole.items():
        yield from _whole(sampler, name, reckoned=reckoned)
        yield from _lengths(sampler, name)


def sizes(sampler: Sampler, plan: Plan) -> Questions:
    """Yield samples of each size, the smallest first: OpenVINO 2026.4 answers wrongly for good where its first call had one step."""
    for size in plan.sizes:
        samples = sampler.fixed_batch or (3 if size <= FEW else 1)
        yield Case("sizes", f"{size}", samples, bounds=True), sampler.random(samples, 50, size)


def _spec(sampler: Sampler, name: str) -> TensorSpec:
    return next(spec for spec in sampler.specs if spec.name == name)


def _known_ids(sampler: Sampler, spec: TensorSpec) -> bool:
    domain = sampler.domain(spec.name)
    return domain.kind == "ids" and domain.bound > 2


def _around(spec: TensorSpec, sampler: Sampler, landmarks: Landmarks) -> np.ndarray:
    """Return the numbers of an input on, below and above each of its constants, in its own type."""
    if spec.dtype in ("str", "bool"):
        return np.zeros(0)
    kind = np.dtype("float32" if spec.dtype == "bfloat16" else spec.dtype)
    exact, near = landmarks.exact.get(spec.name, ()), landmarks.near.get(spec.name, ())
    if kind.kind == "f":
        return _floats(np.array(exact, np.float64), np.array(near, np.float64), kind)
    numbers = {math.floor(n) + step for n in (*exact, *near) for step in (-1, 0, 1)}
    limits, domain = np.iinfo(kind), sampler.domain(spec.name)
    low, high = (domain.low, domain.bound - 1) if _known_ids(sampler, spec) else (limits.min, limits.max)
    return np.array(sorted(n for n in numbers if low <= n <= high), kind)


def _floats(exact: np.ndarray, near: np.ndarray, kind: np.dtype[np.floating]) -> np.ndarray:
    """Return each exact number with its two neighbours in this type (float64 also with those that float32 would lose), and two numbers a thousandth beside each number."""
    top = float(np.finfo(kind).max)
    at = exact[np.abs(exact) < top].astype(kind)
    beside = [np.where(at == 0, kind.type(sign * 1e-6), np.nextafter(at, kind.type(sign * np.inf))) for sign in (-1, 1)]
    if kind.itemsize == 8:
        beside += [at + step for step in (-100.0, -1.0, 1.0, 100.0)]
    both = np.concatenate([exact, near])
    inner = both[np.abs(both) < top / 2]
    gap = np.maximum(np.abs(inner) * 1e-3, 1e-3)
    return np.unique(np.concatenate([at, *beside, (inner - gap).astype(kind), (inner + gap).astype(kind)]))


def _some(values: np.ndarray) -> np.ndarray:
    return values if len(values) <= MOST else values[np.linspace(0, len(values) - 1, MOST).astype(int)]


def _words(sampler: Sampler, spec: TensorSpec, landmarks: Landmarks) -> tuple[str, ...]:
    """Return each text that the graph or the model knows, once."""
    known = (*landmarks.words.get(spec.name, ()), *map(str, sampler.domain(spec.name).values))
    return tuple(dict.fromkeys(known))[:MOST_WORDS]


def _ids(sampler: Sampler, spec: TensorSpec) -> np.ndarray:
    """Return ids of a table, all where they are few."""
    domain = sampler.domain(spec.name)
    every = np.arange(domain.low, domain.bound)
    return (
        every
        if len(every) <= ID_NUMBERS
        else np.random.default_rng(sampler.seed).choice(every, ID_NUMBERS, replace=False)
    )


def _sizes(sampler: Sampler, landmarks: Landmarks) -> tuple[int, ...]:
    """Return the sizes to try where a dimension is dynamic, the graph's own first."""
    if not sampler.free_dims:
        return ()
    named = [size + step for size in landmarks.sizes for step in (-1, 0, 1)]
    more = LADDER if sampler.size == SIZE else tuple(factor * sampler.size for factor in FACTORS)
    wanted = [size for size in dict.fromkeys([*named, *more]) if 1 <= size <= LONGEST and size != sampler.size]
    return tuple(
        sorted(size for size in wanted[:17] if sampler.bytes_at(size) * (sampler.fixed_batch or 1) <= SIZE_BYTES)
    )


def _filled(sampler: Sampler, case: str, name: str, values: np.ndarray, draw: int) -> Questions:
    """Yield samples of which one input holds one value everywhere; what all samples share takes one value a call, and no call has both signs, which would cancel where a model adds up its samples."""
    axis = sampler.axis(name)
    step = sampler.fixed_batch or (CALL if axis is not None else 1)
    starts = {0, *([int(np.searchsorted(values, 0))] if values.dtype.kind in "fi" else [])}
    for start, part in _parts(values, sorted(starts), step):
        rows = sampler.fixed_batch or (len(part) if axis is not None else 1)
        inputs = sampler.random(rows, draw + 7 * start)
        array = inputs[name] if inputs[name].dtype.kind != "U" else inputs[name].astype(values.dtype)
        lead = array if axis is None else np.moveaxis(array, axis, 0)
        lead[...] = part[0] if axis is None else np.resize(part, len(lead)).reshape(-1, *[1] * (lead.ndim - 1))
        yield Case(case, name, rows), {**inputs, name: array}


def _parts(values: np.ndarray, starts: list[int], step: int) -> Iterator[tuple[int, np.ndarray]]:
    """Yield runs of at most ``step`` values with the place of their first, none across one of ``starts``."""
    for first, end in zip(starts, [*starts[1:], len(values)], strict=True):
        for start in range(first, end, step):
            yield start, values[start : min(start + step, end)]


def _mixed(sampler: Sampler, name: str, values: np.ndarray, rows: int, draw: int) -> dict[str, np.ndarray]:
    inputs = sampler.random(rows, draw)
    rng, array = np.random.default_rng([sampler.seed, draw]), inputs[name]
    inputs[name] = np.where(rng.random(array.shape) < 0.5, rng.choice(values, array.shape), array).astype(array.dtype)
    return inputs


def _looked_up(sampler: Sampler, plan: Plan) -> Questions:
    """Yield samples that look up each chosen id of every table."""
    if not plan.ids:
        return
    row = sampler.fixed_batch or 1
    shapes = sampler.random(row, 3300)
    rows = max(math.ceil(len(ids) * row / max(1, shapes[name].size)) for name, ids in plan.ids.items())
    step = sampler.fixed_batch or CALL
    taken = 0
    for call in range(math.ceil(rows / step)):
        samples = sampler.fixed_batch or min(step, rows - taken)
        inputs = sampler.random(samples, 3300 + call)
        for name, ids in plan.ids.items():
            start = call * step * (inputs[name].size // samples)
            inputs[name] = (
                ids.take(np.arange(start, start + inputs[name].size), mode="wrap")
                .reshape(inputs[name].shape)
                .astype(inputs[name].dtype)
            )
        taken += samples
        yield Case("ids", "rows of every table", samples), inputs


def _whole(sampler: Sampler, name: str, *, reckoned: bool) -> Questions:
    """Yield small whole numbers, and where they are ``reckoned`` with those of all magnitudes, beyond 32 bits apart."""
    spec, samples = _spec(sampler, name), sampler.fixed_batch or ROWS
    kind = np.dtype("float32" if spec.dtype == "bfloat16" else spec.dtype)
    if kind.kind == "b" or kind == np.float16:
        return
    top = min(INTEGERS, np.iinfo(kind).max) if kind.kind in "iu" else INTEGERS
    levels = dict.fromkeys(
        min(most, top) for most in ((SMALL_INTEGERS, HALVES, top) if reckoned else (SMALL_INTEGERS,))
    )
    for place, most in enumerate(levels):
        inputs = sampler.random(samples, 3400 + place)
        yield (
            Case("whole numbers", f"{name} up to {most:,}", samples),
            {**inputs, name: _drawn(inputs[name], 1, most, sampler.seed + place)},
        )
    if reckoned and kind.itemsize >= 4:
        inputs = sampler.random(samples, 3412)
        for ends in ([INTEGERS, 0, 1, INTEGERS],) if kind.kind == "u" else (ENDS, ADDED):
            yield (
                Case("the ends of 32 bits", name, samples, False, AT_ENDS, bounds=True),
                {**inputs, name: _like(inputs[name], np.resize(ends, inputs[name].size))},
            )
    if reckoned and (kind.itemsize == 8 or kind.kind == "f"):
        inputs = sampler.random(samples, 3413)
        first = np.abs(BEYOND) if kind.kind == "u" else np.array(BEYOND)
        drawn = _drawn(inputs[name], INTEGERS + 1, DEEP, sampler.seed)
        for beyond in (drawn, _like(inputs[name], np.resize(first, inputs[name].size))):
            yield Case("beyond 32 bits", name, samples, False, REASON, bounds=True), {**inputs, name: beyond}


def _neighbours(sampler: Sampler, plan: Plan) -> Questions:
    """Yield large whole numbers that are equal or one apart within a sample, half of them at multiples of the graph's own constants: what is compared, divided or added up in floats loses them."""
    kinds = {name: np.dtype(_spec(sampler, name).dtype) for name, reckoned in plan.whole.items() if reckoned}
    names = [name for name, kind in kinds.items() if kind.kind in "iu" and kind.itemsize >= 4]
    if not names:
        return
    samples = sampler.fixed_batch or NEIGHBOURS
    inputs, rng = sampler.random(samples, 3600), np.random.default_rng([sampler.seed, 3600])
    sizes = np.floor(np.exp(rng.uniform(math.log(FLOATS), math.log(INTEGERS - 1), samples)))
    for name in names:
        factors = [abs(int(n)) for n in plan.numbers.get(name, ()) if 1 < abs(int(n)) < FLOATS] or [1]
        parts = np.where(np.arange(samples) % 2, rng.choice(factors, samples), 1)
        signs = rng.choice([1, -1], samples) if kinds[name].kind == "i" else 1
        inputs[name] = _beside(inputs[name], sizes // parts * parts * signs, sampler.axis(name), rng)
    yield Case("beyond 24 bits", ", ".join(names), samples, False, IN_FLOATS, bounds=True), inputs


def _digits(sampler: Sampler, plan: Plan) -> Questions:
    """Yield numbers of all magnitudes that lie nearer to each other within a sample than float32 tells, half of the large ones by one."""
    if not plan.close:
        return
    samples = sampler.fixed_batch or NEIGHBOURS
    inputs, rng = sampler.random(samples, 3700), np.random.default_rng([sampler.seed, 3700])
    sizes = np.exp(rng.uniform(math.log(1e-2), math.log(INTEGERS), samples))
    values = np.where(sizes > 1, np.rint(sizes), sizes) * rng.choice([1, -1], samples)
    gaps = np.where((sizes > FLOATS) & (np.arange(samples) % 2 == 0), 1.0, np.abs(values) * APART)
    for name in plan.close:
        inputs[name] = _beside(inputs[name], values, sampler.axis(name), rng, gaps)
    yield Case(DIGITS, ", ".join(plan.close), samples, False, IN_FLOAT32, bounds=True), inputs


def _away(sampler: Sampler, plan: Plan) -> Questions:
    """Yield ordinary samples moved far from zero, up or down."""
    if plan.far:
        samples = sampler.fixed_batch or ROWS
        inputs, moves = sampler.random(samples, 3900), np.where(np.arange(samples) % 2, OFFSET, -OFFSET)
        for name in plan.far:
            inputs[name] += _by_sample(inputs[name], moves, sampler.axis(name)).astype(inputs[name].dtype)
        yield Case(AWAY, ", ".join(plan.far), samples, False, LESS, bounds=True), inputs


def _stored(sampler: Sampler) -> Questions:
    """Yield the samples that the model keeps, as its columns hold them."""
    rows: np.ndarray = getattr(sampler.session, "stored", np.zeros((0, 0)))
    for start in range(0, len(rows), CALL):
        part = rows[start : start + CALL]
        inputs, place = sampler.random(len(part), 3800 + start), 0
        for name, array in inputs.items():
            width = array.shape[1]
            inputs[name] = part[:, place : place + width].astype(array.dtype)
            place += width
        yield Case(STORED, f"{start + 1} to {start + len(part)}", len(part), False, KEPT, bounds=True), inputs


def _beside(
    like: np.ndarray, values: np.ndarray, axis: int | None, rng: np.random.Generator, gaps: np.ndarray = ONE
) -> np.ndarray:
    """Return numbers one gap below, at or above the value of each sample."""
    steps = rng.integers(-1, 2, like.shape)
    return (_by_sample(like, values, axis) + _by_sample(like, gaps, axis) * steps).astype(like.dtype)


def _by_sample(like: np.ndarray, values: np.ndarray, axis: int | None) -> np.ndarray:
    """Lay one value a sample over the shape of an input; the first over all of it where samples share it."""
    if axis is None or like.shape[axis] != len(values):
        return np.full(like.shape, values[0])
    return np.broadcast_to(values.reshape([-1 if place == axis else 1 for place in range(like.ndim)]), like.shape)


def _lengths(sampler: Sampler, name: str) -> Questions:
    """Yield whole numbers up to each size of the other inputs, where a sample has one: how much of a sequence counts is such a number."""
    samples = sampler.fixed_batch or ROWS
    inputs = sampler.random(samples, 3500)
    if inputs[name].size not in (1, samples):
        return
    sizes = {size for spec in sampler.specs if spec.name != name for size in _behind(sampler, spec, inputs[spec.name])}
    rng = np.random.default_rng([sampler.seed, 3500])
    for size in sorted(sizes)[:SEQUENCES]:
        lengths = rng.integers(1, size + 1, inputs[name].shape)
        lengths.flat[0] = size
        yield (
            Case("lengths", f"{name} from 1 to {size}", samples),
            {**inputs, name: lengths.astype(inputs[name].dtype)},
        )


def _behind(sampler: Sampler, spec: TensorSpec, array: np.ndarray) -> list[int]:
    """Return the sizes of an input beside the number of its samples, of those that a sequence may have."""
    sizes = [size for place, size in enumerate(array.shape) if place != sampler.axis(spec.name)]
    return [size for size in sizes if SMALLEST <= size <= LONGEST]


def _like(like: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.asarray(values).reshape(like.shape).astype(like.dtype)


def _drawn(like: np.ndarray, low: float, high: float, seed: int) -> np.ndarray:
    """Return whole numbers of either sign (where the type has one) whose logarithm is even between two bounds."""
    rng = np.random.default_rng([seed, 9])
    size = np.floor(np.exp(rng.uniform(math.log(low), math.log(high), like.shape)))
    sign = rng.choice([1.0, 1.0, -1.0], like.shape) if like.dtype.kind != "u" else 1.0
    return (size * sign).astype(like.dtype)
