"""Seeded inputs of the right kind: numbers around what the model learned, ids of its tables, categories that it knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from core.domain import batching
from core.domain.artifact import TensorSpec
from core.domain.errors import Refused
from core.domain.runtime import UNKNOWN_INTEGER, Domain, Session

SIZE = 8
"""What a dynamic dimension behind the batch takes where nothing speaks against it."""
TIES = "ties"
"""A few numbers over and over: where the first or the last of equal ones may be taken."""
HALVES = "halves"
"""Whole and half numbers: where a rounding may go either way, and two engines part."""
INFINITE = "infinite"
EDGES = (
    "zeros",
    "ones",
    HALVES,
    TIES,
    "negative",
    "wide",
    "large",
    "small",
    "tiny",
    "infinite",
    "first ids",
    "last ids",
    "unknown category",
)
MISSING = "missing numbers"
TIED = 3
WIDE = 4.0
"""Spreads away from the mean: where activations saturate, and what is left of them is small."""
LARGE = 10.0
"""Spreads away from the mean: far outside, and still within what float32 adds up exactly enough."""
SMALL = 1e-3
"""Spreads from the mean: so close together that what is added to a variance before its root shows."""
TINY = 1e-40
"""Below the smallest normal float32 number (1.2e-38)."""


@dataclass(frozen=True)
class Sampler:
    """Draws inputs for one session; equal seeds give equal inputs.

    Dynamic dimensions behind the batch take ``size``, or what an input has in ``shown`` (sizes without the batch);
    the inputs in ``lengths`` say how much of such a dimension counts, and are filled with all of it.
    """

    session: Session
    seed: int
    size: int = SIZE
    shown: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    lengths: frozenset[str] = frozenset()
    single: bool = False
    """The source takes one sample at a time, whatever its shapes say."""

    @property
    def specs(self) -> tuple[TensorSpec, ...]:
        """The inputs to fill. Raises Refused where a shape is unknown."""
        for spec in self.session.signature.inputs:
            if spec.shape is None:
                raise Refused(
                    f"The file does not state the shape of its input {spec.name!r}.",
                    "Give shapes without the batch, such as 1x28x28 or int64:48, or add a data set.",
                )
        return self.session.signature.inputs

    @property
    def fixed_batch(self) -> int | None:
        """The number of samples that the model insists on, or None when it is free."""
        return 1 if self.single else batching.batch({spec.name: spec.shape for spec in self.specs})

    @property
    def free_dims(self) -> bool:
        """Whether a dimension behind the batch is free."""
        axes = self._axes()
        return any(
            not isinstance(dim, int) and place != axes[spec.name]
            for spec in self.specs
            for place, dim in enumerate(spec.shape or ())
        )

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample over all inputs."""
        return self.bytes_at(None)

    def bytes_at(self, size: int | None) -> int:
        """Return the bytes of one sample with dynamic dimensions of this size; a text counts eight."""
        return sum(_item_bytes(spec) * int(np.prod([1, *self._shape(spec, 1, size)])) for spec in self.specs)

    def random(self, batch: int, draw: int, size: int | None = None) -> dict[str, np.ndarray]:
        """Return ordinary samples; ``draw`` tells one call from the next, ``size`` is another one for dynamic dimensions."""
        rng = np.random.default_rng([self.seed, draw])
        drawn = {s.name: _ordinary(self.domain(s.name), self._shape(s, batch, size), rng) for s in self.specs}
        return {s.name: _cast(self._long(s.name, drawn, size), s) for s in self.specs}

    def edge(self, what: str, batch: int) -> dict[str, np.ndarray] | None:
        """Return samples with one thing pushed to its edge, or None when no input has such an edge."""
        inputs = self.random(batch, draw=1000)
        changed = False
        for spec in self.specs:
            value = _pushed(what, inputs[spec.name], self.domain(spec.name), batch)
            if value is not None:
                inputs[spec.name], changed = _cast(value, spec), True
        return inputs if changed else None

    def at(self, place: int, values: list[float]) -> dict[str, np.ndarray]:
        """Return one sample per value with the raw column ``place`` set to it."""
        inputs = self.random(len(values), draw=2000 + place)
        if len(self.specs) == 1:
            inputs[self.specs[0].name][:, place] = values
        else:
            inputs[self.specs[place].name][:, 0] = values
        return inputs

    def domain(self, name: str) -> Domain:
        """Return the values that an input takes; where nothing is known of whole numbers of 8 bits, as of a picture, all of them."""
        found = self.session.domains.get(name, Domain())
        kind = next(spec.dtype for spec in self.specs if spec.name == name)
        if found == UNKNOWN_INTEGER and kind in ("int8", "uint8"):
            return Domain("ids", low=int(np.iinfo(kind).min), bound=int(np.iinfo(kind).max) + 1)
        return found

    def axis(self, name: str) -> int | None:
        """Return the dimension of an input that holds the samples, or None where all samples share it."""
        return self._axes()[name]

    def _long(self, name: str, drawn: dict[str, np.ndarray], size: int | None) -> np.ndarray:
        """Return what was drawn for an input, or for one of lengths the longest sequence beside it."""
        if name not in self.lengths:
            return drawn[name]
        others = [other for other in self.specs if other.name != name]
        whole = max((long for other in others for long in self._dynamic(other, size)), default=1)
        return np.full_like(drawn[name], whole)

    def _dynamic(self, spec: TensorSpec, size: int | None) -> list[int]:
        """Return the sizes of the dynamic dimensions of an input behind the batch."""
        axis, shape = self._axes()[spec.name], self._shape(spec, 1, size)
        dims = spec.shape or ()
        return [shape[place] for place, dim in enumerate(dims) if place != axis and not isinstance(dim, int)]

    def _axes(self) -> dict[str, int | None]:
        return batching.axes({spec.name: spec.shape for spec in self.specs})

    def _shape(self, spec: TensorSpec, batch: int, size: int | None) -> tuple[int, ...]:
        axis = self._axes()[spec.name]
        shown = iter(self.shown.get(spec.name, ()) if size is None else ())
        known = {place: next(shown, None) for place in range(len(spec.shape or ())) if place != axis}
        taken = self.size if size is None else size
        rest = [
            dim if isinstance(dim, int) else known.get(place) or taken for place, dim in enumerate(spec.shape or ())
        ]
        if axis is not None and spec.shape and not isinstance(spec.shape[axis], int):
            rest[axis] = batch
        return tuple(rest)


def _ordinary(domain: Domain, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    if domain.kind == "ids":
        return rng.integers(domain.low, domain.bound, shape)
    if domain.kind == "choice":
        return np.array(domain.values).take(rng.integers(0, len(domain.values), shape))
    return np.asarray(rng.standard_normal(shape) * np.asarray(domain.spread) + np.asarray(domain.mean))


def _pushed(what: str, value: np.ndarray, domain: Domain, batch: int) -> np.ndarray | None:
    """Return the input pushed to the edge, or None when it has none of this name."""
    if domain.kind == "ids":
        edges = {"first ids": domain.low, "last ids": domain.bound - 1}
        return np.full_like(value, edges[what]) if what in edges else None
    if domain.kind == "choice":
        return np.full(value.shape, "no such category") if what == "unknown category" else None
    if value.dtype.kind != "f":
        return None
    if what == MISSING:
        return _with_gaps(value) if value.ndim and value.size else None
    centre = np.asarray(domain.mean)
    fills = {"zeros": 0.0, "ones": 1.0, "tiny": TINY}
    if what in fills:
        return np.full_like(value, fills[what])
    if what == TIES:
        return np.random.default_rng(TIED).choice(value.reshape(-1)[:TIED], value.shape) if value.size else None
    if what == HALVES:
        return np.round(2 * value) / 2
    if what == INFINITE:
        return np.where(np.arange(value.size).reshape(value.shape) % 3, value, np.copysign(np.inf, value))
    spreads = {"wide": WIDE, "large": LARGE, "small": SMALL}
    return (
        -np.abs(value) if what == "negative" else (value - centre) * spreads[what] + centre if what in spreads else None
    )


def _with_gaps(value: np.ndarray) -> np.ndarray:
    """Return a copy with a NaN at another place of each row; of samples of one number each, in every other one."""
    gaps = value.reshape(len(value), -1).copy()
    if gaps.shape[1] == 1:
        gaps[::2] = np.nan
        return gaps.reshape(value.shape)
    gaps[np.arange(len(gaps)), np.arange(len(gaps)) % gaps.shape[1]] = np.nan
    return gaps.reshape(value.shape)


def _item_bytes(spec: TensorSpec) -> int:
    return 8 if spec.dtype == "str" else np.dtype("float32" if spec.dtype == "bfloat16" else spec.dtype).itemsize


def _cast(value: np.ndarray, spec: TensorSpec) -> np.ndarray:
    if spec.dtype == "str":
        return np.asarray(value).astype(np.str_)
    return np.asarray(value).astype("float32" if spec.dtype == "bfloat16" else spec.dtype)
