"""Finds the weight tensors of one file in another by their numbers, whatever those are called and however they are turned.

What samples cannot reach is seen here: one row of a table that no sample asks for. Nothing is run, and a tensor that is
not found says little by itself, as converters fold weights into one another; a tensor that is found but for a few
numbers says that something is wrong.
"""

import hashlib
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from core.domain.correspondence import Correspondence
from core.domain.format import Tensor

LEAST, MOST = 16, 1 << 26
"""Elements of a tensor that is looked at: fewer are constants of the graph, more do not fit beside the others."""
ROOM = 1 << 26
"""Elements that are held at once to look for tensors that are not the same byte by byte."""
CUTS = (2, 3, 4, 6, 8, 16)
"""Parts that gates, directions and merged projections are cut into."""
MOST_AXES = 5
NEAR = 0.9
"""The share of equal numbers, zeros left out, from which two tensors are one and the same with faults."""
CLOSE = 1e-6
"""Relative difference of two numbers that were rounded along the way."""
SCALED = 1e-5
"""Relative residue of a channel that was scaled as a whole, as folding a normalisation does."""
HALVES = ("float16", "bfloat16")
NAMELESS = "a constant without a name"

Tensors = Callable[[], Iterable[Tensor]]
"""Starts anew at the first tensor of a file."""


def correspondence(source: Tensors, result: Tensors) -> Correspondence:
    """Say how each weight of the source stands in the result. Reads each file twice, one tensor at a time."""
    index, found = Index.of(result), Counter[str]()
    missing, unseen = dict[int, Tensor](), 0
    for place, (tensor, array) in enumerate(loaded(source)):
        if array is None:
            unseen += 1
        elif telling(array):
            if how := index.how(array):
                found[how] += 1
            else:
                missing[place] = tensor
    changed = tuple(_second_look(source, result, missing, index.sizes, found)) if missing else ()
    lost = tuple(tensor.name[:80] or NAMELESS for tensor in missing.values())
    return Correspondence(found.total() + len(missing) + unseen, dict(found), lost[:20], changed)


def loaded(tensors: Tensors) -> Iterator[tuple[Tensor, np.ndarray | None]]:
    """Yield the tensors that could be weights with their numbers, None for what is too large or of a type without numbers."""
    for tensor in tensors():
        size = math.prod(tensor.shape)
        if size >= LEAST and tensor.dtype not in ("bool", "str", "string"):
            yield tensor, tensor.load() if size <= MOST else None


def telling(array: np.ndarray) -> bool:
    """Say whether not all numbers are the same one."""
    return bool((array != array.reshape(-1)[0]).any())


@dataclass
class Index:
    """The tensors of the result by a digest of their numbers."""

    whole: set[bytes] = field(default_factory=set)
    parts: set[bytes] = field(default_factory=set)
    shapes: set[tuple[int, ...]] = field(default_factory=set)
    kinds: set[str] = field(default_factory=set)
    sizes: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, tensors: Tensors) -> "Index":
        """Read the result once."""
        index = cls()
        for tensor, array in loaded(tensors):
            if array is None:
                continue
            index.kinds.add(tensor.dtype)
            index.shapes.add(_squeezed(array).shape)
            index.sizes.add(array.size)
            index.whole.add(digest(array))
            index.parts.update(map(digest, _parts(array)))
        index.parts |= index.whole
        return index

    def how(self, array: np.ndarray) -> str:
        """Return how an array of the source is found: unchanged, transposed, rounded, in parts; nothing where it is not."""
        if digest(array) in self.whole:
            return "unchanged"
        if any(digest(turned) in self.whole for turned in self._turned(array)):
            return "transposed"
        for rounded in self._rounded(array):
            if digest(rounded) in self.whole or any(digest(turned) in self.whole for turned in self._turned(rounded)):
                return "rounded"
        if any(self._holds(parts) for parts in _cuts(array)):
            return "in parts"
        return ""

    def _turned(self, array: np.ndarray) -> Iterator[np.ndarray]:
        return turns(array, self.shapes)

    def _rounded(self, array: np.ndarray) -> Iterator[np.ndarray]:
        kinds = [kind for kind in HALVES if kind in self.kinds]
        if array.dtype == np.float64:
            kinds.append("float32")
        if array.dtype.kind == "f":
            with np.errstate(over="ignore"):
                yield from (array.astype(kind) for kind in kinds if array.dtype != kind)

    def _holds(self, parts: list[np.ndarray]) -> bool:
        return all(
            digest(part) in self.parts or (part.ndim == 2 and digest(part.T) in self.parts) for part in parts
        ) and any(map(telling, parts))


def digest(array: np.ndarray) -> bytes:
    """Return what tells the numbers of an array in their order, whatever type holds them; -0.0 counts as 0.0."""
    if array.dtype.kind in "iub":
        wide = array.astype(np.int64)
        held: np.ndarray = wide
    elif array.dtype.kind == "c":
        held = array.astype(np.complex128)
    else:
        narrow = array.astype(np.float32)
        held = narrow + np.float32(0) if array.dtype != np.float64 or (narrow == array).all() else array + 0.0
    return hashlib.blake2b(np.ascontiguousarray(held).data, digest_size=16).digest()


def turns(array: np.ndarray, shapes: Iterable[tuple[int, ...]]) -> Iterator[np.ndarray]:
    """Yield the array with its axes in each other order that gives one of the shapes; axes of one element do not count."""
    array, shapes = _squeezed(array), set(shapes)
    if array.ndim > MOST_AXES:
        return
    for order in itertools.permutations(range(array.ndim)):
        if list(order) != sorted(order) and tuple(array.shape[axis] for axis in order) in shapes:
            yield array.transpose(order)


def _squeezed(array: np.ndarray) -> np.ndarray:
    return array.reshape([n for n in array.shape if n != 1])


def _cuts(array: np.ndarray) -> Iterator[list[np.ndarray]]:
    """Yield the array cut into equal parts along its first or its last axis; the two directions of a layer are one axis."""
    array = _squeezed(array)
    array = array.reshape(-1, array.shape[-1]) if array.ndim == 3 and array.shape[0] == 2 else array
    for axis in {0, array.ndim - 1}:
        for count in CUTS:
            if array.ndim <= 2 and array.shape[axis] % count == 0 and array.size >= LEAST * count:
                yield np.split(array, count, axis)


def _parts(array: np.ndarray) -> Iterator[np.ndarray]:
    return (part for parts in _cuts(array) for part in parts)


def _second_look(
    source: Tensors, result: Tensors, missing: dict[int, Tensor], sizes: set[int], found: Counter[str]
) -> Iterator[str]:
    """Set what was not found, by its place, beside tensors of the same size: count those that were scaled, and yield in words what differs in few numbers."""
    counts = {place: math.prod(tensor.shape) for place, tensor in missing.items()}
    wanted = {place: size for place, size in counts.items() if size in sizes}
    if not wanted or sum(wanted.values()) > ROOM:
        return
    held: dict[int, list[np.ndarray]] = defaultdict(list)
    room = ROOM
    for _, array in loaded(result):
        if array is not None and array.size in wanted.values() and array.dtype.kind not in "iubc" and telling(array):
            room -= array.size
            if room >= 0:
                held[array.size].append(array)
    for place, (tensor, array) in enumerate(loaded(source)):
        if place not in wanted or array is None or array.dtype.kind in "iubc":
            continue
        words = [like(array, other) for other in held[array.size]]
        if how := next((how for how, _ in words if how), ""):
            found[how] += 1
            del missing[place]
        elif fault := next((fault for _, fault in words if fault), ""):
            name = repr(tensor.name[:80]) if tensor.name else NAMELESS
            yield f"{name} ({' x '.join(map(str, array.shape))}): {fault}"


def like(array: np.ndarray, other: np.ndarray) -> tuple[str, str]:
    """Return how ``other`` holds the array, or in words in how few numbers it differs; two empty texts where it does neither."""
    flat = other.reshape(-1)
    for turned in (_squeezed(array), *turns(array, [_squeezed(other).shape])):
        same = _close(turned.reshape(-1).astype(other.dtype), flat)
        if same.all():
            return "rounded", ""
        kept = same[turned.reshape(-1) != 0]
        if kept.size and kept.mean() >= NEAR:
            place = np.unravel_index(int(np.argmin(same)), turned.shape)
            where = ", ".join(map(str, place))
            return "", f"{int((~same).sum()):,} of {same.size:,} numbers differ, the first at [{where}] of the result"
        if turned.shape == _squeezed(other).shape and _scaled(turned, _squeezed(other)):
            return "scaled by channel", ""
    return "", ""


def _close(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    wide = a.astype(np.float64), b.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.isclose(*wide, rtol=CLOSE, atol=0, equal_nan=True))


def _scaled(a: np.ndarray, b: np.ndarray) -> bool:
    """Say whether each slice along some axis of ``b`` is one multiple of that of ``a``, and none of them zero times."""
    if a.ndim < 2 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return False
    for axis in range(a.ndim):
        left, right = (np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1).astype(np.float64) for x in (a, b))
        square = (left * left).sum(1, keepdims=True)
        factor = (left * right).sum(1, keepdims=True) / np.where(square > 0, square, 1)
        alike = np.abs(right - factor * left).max(1) <= SCALED * np.abs(right).max(1)
        if alike.all() and ((factor != 0) | (square == 0)).all():
            return True
    return False
