"""Finds sizes that a model with dynamic dimensions takes: a detector wants multiples of 32, a layer on frames a whole frame, and a length the size that it belongs to."""

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from core.domain.artifact import Dim
from core.domain.landmarks import Landmarks
from core.domain.runtime import UNKNOWN_INTEGER
from core.proof.dataset import Dataset
from core.proof.samples import SIZE, Sampler

CANDIDATES = (32, 16, 64, 128, 224, 400, 320, 256, 512, 640, 1024, 4, 3, 2, 1, 48, 96, 100, 160, 2048, 4096, 16_000)
SEVERAL = (SIZE, 1, 2, 16, 32, 48, 64, 128)
"""Sizes that are tried where two kinds of dynamic dimensions differ."""
Inputs = dict[str, np.ndarray]
BATCHES = (3, 2, 4, 8)
LARGEST_BYTES = 8_000_000
ENOUGH = 1024
"""Larger sizes are for models that took no smaller one: memory may grow with the square."""
SECONDS = 20.0
"""Time for the search; after it the usual size is asked, and the model says what it thinks of that."""


def fitted(sampler: Sampler, dataset: Dataset | None, landmarks: Landmarks) -> Sampler:
    """Return a sampler whose ordinary samples the model answers, not all alike; the given one where there is none, or one that it answers alike."""
    if not sampler.free_dims:
        return sampler
    until, alike = time.monotonic() + SECONDS, None
    for candidate in _candidates(sampler, dataset, landmarks):
        if time.monotonic() > until:
            break
        if alike and candidate.size > ENOUGH:
            continue
        if candidate.sample_bytes <= LARGEST_BYTES and (answers := _answers(candidate)) is not None:
            if _vary(answers):
                return candidate
            alike = alike or candidate
    return alike or sampler


def counted(sampler: Sampler) -> Sampler:
    """Return a sampler of single samples where the source answers those and none of a few larger batches, though its shapes promise any."""
    if sampler.fixed_batch is not None or _answers(sampler, BATCHES[0]):
        return sampler
    one = sampler.random(1, 0)
    # The same sample several times: another one might be refused for what it holds.
    takes = [_takes(sampler, _repeated(sampler, one, n)) for n in (1, *BATCHES)]
    return replace(sampler, single=True) if takes[0] and not any(takes[1:]) else sampler


def _repeated(sampler: Sampler, one: Inputs, times: int) -> Inputs:
    return {
        name: array if (axis := sampler.axis(name)) is None else np.repeat(array, times, axis)
        for name, array in one.items()
    }


def _takes(sampler: Sampler, inputs: Inputs) -> bool:
    try:
        with np.errstate(all="ignore"):
            return bool(sampler.session.run(inputs))
    except Exception:
        return False


def note(sampler: Sampler) -> tuple[str, ...]:
    """Say which sizes were taken where they are not the usual ones."""
    if sampler.size == SIZE and not sampler.shown and not sampler.lengths:
        return ()
    shapes = {name: array.shape for name, array in sampler.random(1, 0).items()}
    told = "; ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items() if shape)
    lengths = f", with whole lengths in {', '.join(sorted(sampler.lengths))}" if sampler.lengths else ""
    return (f"Asked at sizes that the source takes and at which its answers vary: {told}{lengths}.",)


def _candidates(sampler: Sampler, dataset: Dataset | None, landmarks: Landmarks) -> Iterator[Sampler]:
    """Yield the usual size, what the data have, sizes of the graph and of many models, each also with lengths that fill it, then pairs of sizes."""
    lengths = _lengths(sampler)
    sizes = dict.fromkeys(size for size in (*landmarks.sizes, *CANDIDATES) if size > 0 and size != SIZE)
    of_data = [] if dataset is None else [{name: array.shape[1:] for name, array in dataset.specimen.items()}]
    for candidate in (
        sampler,
        *(replace(sampler, shown=shown) for shown in of_data),
        *(replace(sampler, size=size) for size in sizes),
    ):
        yield candidate
        if lengths:
            yield replace(candidate, lengths=lengths)
    pairs = [(first, second) for first in SEVERAL for second in SEVERAL if first != second]
    for shown in [_split(sampler, *pair) for pair in pairs] if len(_kinds(sampler)) > 1 else ():
        yield replace(sampler, shown=shown)


def _lengths(sampler: Sampler) -> frozenset[str]:
    """Return the inputs of one unknown whole number a sample."""
    one = {spec.name for spec in sampler.specs if sampler.random(3, 0)[spec.name].size in (1, 3)}
    return frozenset(name for name in one if sampler.domain(name) == UNKNOWN_INTEGER)


def _kinds(sampler: Sampler) -> list[object]:
    """Return the kinds of dynamic dimensions behind the batch: their names, or else their places."""
    axes = {spec.name: sampler.axis(spec.name) for spec in sampler.specs}
    dims = [
        (place, dim) for spec in sampler.specs for place, dim in enumerate(spec.shape or ()) if place != axes[spec.name]
    ]
    return list(dict.fromkeys(_kind(place, dim) for place, dim in dims if not isinstance(dim, int)))


def _kind(place: int, dim: Dim) -> object:
    return dim if isinstance(dim, str) and dim != "?" else place


def _split(sampler: Sampler, first: int, second: int) -> dict[str, tuple[int, ...]]:
    """Return shapes behind the batch in which the first kind of dynamic dimension has one size and all others have another."""
    lead = _kinds(sampler)[0]
    return {
        spec.name: tuple(
            dim if isinstance(dim, int) else first if _kind(place, dim) == lead else second
            for place, dim in enumerate(spec.shape or ())
            if place != sampler.axis(spec.name)
        )
        for spec in sampler.specs
    }


def _answers(sampler: Sampler, batch: int = 1) -> list[list[np.ndarray]] | None:
    """Return what the model answers to two draws of ordinary samples; None where it refuses, or gives no number."""
    try:
        with np.errstate(all="ignore"):
            draws = [
                list(sampler.session.run(sampler.random(sampler.fixed_batch or batch, n)).values()) for n in (0, 1)
            ]
    except Exception:
        return None
    floats = [array for array in draws[0] if array.dtype.kind == "f"]
    given = all(array.size for array in draws[0]) and (not floats or any(np.isfinite(a).any() for a in floats))
    return draws if given else None


def _vary(draws: list[list[np.ndarray]]) -> bool:
    """Say whether an output differs between two draws, or none is of numbers with a fraction."""
    pairs = [(a, b) for a, b in zip(*draws, strict=True) if a.dtype.kind == "f"]
    return not pairs or any(a.shape != b.shape or not np.array_equal(a, b, equal_nan=True) for a, b in pairs)
