"""What a model keeps from one call to the next: outputs that come back as inputs, found by name, type and shape.

A recurrent or streaming model hands out a state and takes it in again (``state`` and ``stateN``, ``h0`` and ``hn``), a language
model its keys and values (``past_key_values.0.key`` and ``present.0.key``). Each session needs memory of its own for that.
"""

import math
import re
from dataclasses import dataclass
from typing import ClassVar

from core.domain.artifact import Dim, Signature, TensorSpec

STATES = frozenset(
    ("state", "states", "past", "present", "hidden", "cell", "cache", "caches", "memory", "mem", "kv", "h", "c", "carry", "context", "rnn", "lstm", "gru")
)  # fmt: skip
"""Words for what is kept; without one, an input and an output of one shape are a picture and its picture."""
SIDES = frozenset(
    ("past", "present", "in", "out", "input", "output", "new", "next", "old", "prev", "previous", "last", "updated", "n")
)  # fmt: skip
"""Words for which side it is."""
WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
SHORT = re.compile(r"([hc])_?[0nN]")
BATCH = re.compile(r"(.*batch.*|n|b|bs)", re.IGNORECASE)
SIZES = {"float64": 8, "complex64": 8, "complex128": 16, "int64": 8, "uint64": 8, "float16": 2, "bfloat16": 2, "int16": 2, "uint16": 2, "int8": 1, "uint8": 1, "bool": 1}  # fmt: skip
"""Bytes of one number; 4 for those that are not listed."""


@dataclass(frozen=True)
class Kept:
    """One state: the input that takes it, the output that gives it, and bytes of one session, fixed or for each step so far."""

    input: str
    output: str
    dtype: str
    shape: tuple[Dim, ...]
    bytes: int
    grows: bool

    def at(self, length: int) -> int:
        """Return the bytes after so many steps."""
        return self.bytes * (length if self.grows else 1)


@dataclass(frozen=True)
class SessionState:
    """All that one session keeps; ``inside`` counts the states that an engine keeps itself, whose size the file does not say."""

    DERIVED: ClassVar = ("fixed", "per_step")

    kept: tuple[Kept, ...] = ()
    inside: int = 0

    @property
    def fixed(self) -> int:
        """Bytes of a session whatever its length."""
        return sum(one.bytes for one in self.kept if not one.grows)

    @property
    def per_step(self) -> int:
        """Bytes for each step, such as a token."""
        return sum(one.bytes for one in self.kept if one.grows)

    def at(self, length: int) -> int:
        """Return the bytes of a session after so many steps."""
        return self.fixed + self.per_step * length

    def sessions(self, memory: float, held: float, length: int) -> int | None:
        """Return how many sessions fit into so many bytes beside a model that holds some of them; None where a session needs none."""
        each = self.at(length)
        return max(0, math.floor((memory - held) / each)) if each else None


def state_of(signature: Signature, operators: dict[str, int] | None = None) -> SessionState:
    """Pair the inputs and outputs of a model; an output is taken once, and an input that fits two is left alone."""
    found, taken = list[Kept](), set[str]()
    for spec in signature.inputs:
        fits = [one for one in signature.outputs if one.name not in taken and _comes_back(spec, one)]
        if len(fits) == 1 and spec.shape is not None:
            taken.add(fits[0].name)
            found.append(_kept(spec, fits[0], spec.shape, signature))
    return SessionState(tuple(found), sum((operators or {}).get(name, 0) for name in ("ReadValue", "VarHandle")))


def key_value_cache(layers: int, heads: int, width: int, length: int, batch: int = 1, size: int = 2) -> int:
    """Return the bytes of the keys and values that attention keeps: ``heads`` are those of keys, ``width`` is that of one head, ``size`` bytes a number."""
    return 2 * layers * heads * width * length * batch * size


def _kept(spec: TensorSpec, out: TensorSpec, shape: tuple[Dim, ...], signature: Signature) -> Kept:
    free = [dim for dim in shape if not isinstance(dim, int) and not _batch(dim, shape, signature)]
    numbers = math.prod(dim for dim in shape if isinstance(dim, int))
    return Kept(spec.name, out.name, spec.dtype, shape, numbers * SIZES.get(spec.dtype, 4), bool(free))


def _batch(dim: Dim, shape: tuple[Dim, ...], signature: Signature) -> bool:
    """Say whether a free dimension counts samples: by its name, or as the first one of another input."""
    if dim is None:
        return shape.index(dim) == 0
    firsts = {one.shape[0] for one in signature.inputs if one.shape and not _words(one.name) & STATES}
    return bool(BATCH.fullmatch(str(dim))) or dim in firsts


def _comes_back(spec: TensorSpec, out: TensorSpec) -> bool:
    """Say whether an output can be the next value of an input."""
    words = _words(spec.name) | _words(out.name)
    if not words & STATES or _base(spec.name) != _base(out.name) or spec.dtype != out.dtype:
        return False
    if spec.shape is None or out.shape is None or len(spec.shape) != len(out.shape):
        return False
    return all(
        a == b or not (isinstance(a, int) and isinstance(b, int)) for a, b in zip(spec.shape, out.shape, strict=True)
    )


def _words(name: str) -> frozenset[str]:
    return frozenset(_split(name))


def _split(name: str) -> list[str]:
    name = SHORT.sub(r"\1", name) if SHORT.fullmatch(name) else name
    return [word.lower() for word in WORDS.findall(name)]


def _base(name: str) -> tuple[str, ...]:
    """Return what a name says besides which side it is; numbers stay, as they tell layers apart."""
    words = _split(name)
    if words[:3] in (["past", "key", "values"], ["past", "key", "value"]):
        words = words[3:]
    return tuple(word for word in words if word not in SIDES)
