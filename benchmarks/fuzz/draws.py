"""Numbers of hard kinds: large, tiny, tied, on grids, around constants, at the ends of types, with large offsets."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

Rng = np.random.Generator
Array = np.ndarray


@dataclass(frozen=True)
class Field:
    """One input: its type, the shape of one sample with None where it is free, and what it may hold.

    ``rows`` bounds ids of a table (0: no ids), ``hints`` are numbers that the model itself names, ``shared`` says that the
    first dimension is no batch.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    rows: int = 0
    hints: tuple[float, ...] = ()
    gaps: bool = False


def _log(rng: Rng, shape: tuple[int, ...], low: float, high: float) -> Array:
    return np.asarray(np.exp(rng.uniform(np.log(low), np.log(high), shape)) * rng.choice([-1.0, 1.0], shape))


def _tied(rng: Rng, shape: tuple[int, ...]) -> Array:
    return rng.choice(rng.standard_normal(3), shape)


def _offset(rng: Rng, shape: tuple[int, ...]) -> Array:
    return np.asarray(rng.choice([100.0, 3e3, -3e3]) + rng.standard_normal(shape))


FLOATS: dict[str, Callable[[Rng, tuple[int, ...]], Array]] = {
    "ordinary": lambda rng, shape: rng.standard_normal(shape),
    "wide": lambda rng, shape: 5 * rng.standard_normal(shape),
    "grid": lambda rng, shape: rng.integers(-8, 9, shape) / 2,
    "whole": lambda rng, shape: rng.integers(-100, 101, shape).astype(float),
    "large": lambda rng, shape: 1e3 * rng.standard_normal(shape),
    "small": lambda rng, shape: 1e-3 * rng.standard_normal(shape),
    "every magnitude": lambda rng, shape: _log(rng, shape, 1e-6, 1e4),
    "zeros": lambda rng, shape: rng.choice([0.0, -0.0, 1e-42, 1.0, -1.0], shape),
    "tied": _tied,
    "equal": lambda rng, shape: np.full(shape, rng.choice([-2.0, -0.5, 0.0, 0.25, 1.0, 3.0])),
    "offset": _offset,
    "positive": lambda rng, shape: np.abs(rng.standard_normal(shape)),
    "negative": lambda rng, shape: -np.abs(3 * rng.standard_normal(shape)),
}
WHOLE: dict[str, Callable[[Rng, tuple[int, ...], int, int], Array]] = {
    "bits": lambda rng, shape, low, high: rng.integers(0, 2, shape),
    "small": lambda rng, shape, low, high: rng.integers(max(low, -9), min(high, 9) + 1, shape),
    "hundreds": lambda rng, shape, low, high: rng.integers(max(low, -500), min(high, 500) + 1, shape),
    "every magnitude": lambda rng, shape, low, high: np.clip(_log(rng, shape, 1, 2.0**31 - 1), low, high).astype(
        np.int64
    ),
    "ends": lambda rng, shape, low, high: rng.choice([low, high, 0, 1], shape),
}
KINDS = (*FLOATS, "constants", "missing", "infinite")
BATCHES = (1, 2, 7, 64, 500)
LENGTHS = (1, 2, 3, 5, 9, 16, 31, 70)


def questions(
    rng: Rng, fields: tuple[Field, ...], batch: int | None, *, most: int
) -> Iterator[tuple[str, dict[str, Array]]]:
    """Yield inputs of every kind in turn, until there are ``most`` samples."""
    asked, turn = 0, 0
    while asked < most:
        kind = KINDS[turn % len(KINDS)]
        free = int(rng.choice(LENGTHS))
        rows = batch or int(rng.choice(BATCHES) if turn >= len(KINDS) else 300)
        found = {
            one.name: drawn(rng, one, kind, (rows, *(free if n is None else n for n in one.shape))) for one in fields
        }
        turn += 1
        asked += rows
        yield kind, found


def drawn(rng: Rng, field: Field, kind: str, shape: tuple[int, ...]) -> Array:
    """Return one input of one kind."""
    dtype = np.dtype(field.dtype)
    if dtype.kind == "b":
        return np.asarray(rng.random(shape) < rng.choice([0.0, 0.5, 1.0], p=[0.1, 0.8, 0.1]))
    if dtype.kind in "iu":
        return _whole(rng, field, kind, shape).astype(dtype)
    values = _float(rng, field, kind, shape)
    limit = 6e4 if dtype == np.float16 else np.inf
    return np.clip(values, -limit, limit).astype(dtype) if np.isfinite(limit) else values.astype(dtype)


def _float(rng: Rng, field: Field, kind: str, shape: tuple[int, ...]) -> Array:
    if kind == "constants":
        if not field.hints:
            return rng.standard_normal(shape)
        values = rng.choice(np.array(field.hints), shape).astype(field.dtype)
        way = rng.choice([-np.inf, np.inf], shape).astype(field.dtype)
        return np.where(rng.random(shape) < 0.5, values, np.nextafter(values, way))
    if kind in ("missing", "infinite"):
        odd = np.nan if kind == "missing" else np.inf
        values = rng.standard_normal(shape)
        return np.where(rng.random(shape) < 0.1, np.copysign(odd, values) if odd == np.inf else odd, values)
    return FLOATS[kind](rng, shape)


def _whole(rng: Rng, field: Field, kind: str, shape: tuple[int, ...]) -> Array:
    if field.rows:
        low = -field.rows if kind == "negative" else 0
        return rng.integers(low, field.rows, shape)
    limits = np.iinfo(field.dtype)
    low, high = max(int(limits.min), -(2**31)), min(int(limits.max), 2**31 - 1)
    if kind == "constants" and field.hints:
        near = np.clip(np.floor(rng.choice(np.array(field.hints), shape)) + rng.integers(-1, 2, shape), low, high)
        return np.asarray(near)
    return WHOLE[str(rng.choice(list(WHOLE)))](rng, shape, low, high)
