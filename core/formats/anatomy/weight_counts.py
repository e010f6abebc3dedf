"""Weights counted by dtype: how many parameters, in which precision, how many of them zero, in which layers."""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from core.domain.format import Layer

if TYPE_CHECKING:
    import numpy as np

MAX_LAYERS = 2_000
MAX_MEASURED = 1 << 28
BLOCK = 16 << 20
VIEWS = {"float32": "<f4", "float16": "<f2", "float64": "<f8", "int8": "i1", "uint8": "u1"}
"""Types whose zeros NumPy can count."""
NOT_WEIGHTS = {"int64", "int32", "uint64", "uint32", "int16", "uint16", "bool", "string"}
"""Shapes, indices and masks: kept in the list of layers, not counted as parameters."""


def is_packed(dtype: str, shape: tuple[int, ...]) -> bool:
    """Say whether a tensor that no program trains is still a weight: integers of 8 bits in rows and columns."""
    return dtype in ("int8", "uint8") and len(shape) > 1


@dataclass
class WeightCounts:
    """Counts that grow tensor by tensor."""

    by_dtype: Counter[str] = field(default_factory=Counter)
    measured: int = 0
    zeros: int = 0
    layers: list[Layer] = field(default_factory=list)

    def add(self, name: str, dtype: str, shape: tuple[int, ...], rounded: str = "") -> None:
        """Count one tensor; ``rounded`` is the integer type that the graph rounds it to, where it does."""
        self.mention(name, dtype, shape)
        self.count(f"{rounded} (stored as {dtype})" if rounded else dtype, math.prod(shape))

    def mention(self, name: str, dtype: str, shape: tuple[int, ...]) -> None:
        """List a tensor that is no weight, such as a running mean."""
        if len(self.layers) < MAX_LAYERS:
            self.layers.append(Layer(name, dtype, shape))

    def count(self, dtype: str, elements: int) -> None:
        """Count elements that have no name of their own."""
        if dtype not in NOT_WEIGHTS:
            self.by_dtype[dtype] += elements

    def measure(self, array: "np.ndarray", zero: int = 0) -> None:
        """Count the zeros of a NumPy array of weights; integers stand for zero where they are ``zero``."""
        import numpy as np

        self.measured += array.size
        self.zeros += int(np.count_nonzero(array == zero))

    def left_out(self, elements: int) -> None:
        """Count zeros that a sparse weight does not store."""
        self.measured += max(0, elements)
        self.zeros += max(0, elements)

    def measure_stream(self, stream: BinaryIO, length: int, dtype: str, zero: int = 0) -> None:
        """Count the zeros in the next ``length`` bytes of a stream, block by block, up to a bound for the whole file."""
        import numpy as np

        if dtype not in VIEWS:
            return
        while length > 0 and self.measured < MAX_MEASURED:
            block = stream.read(min(length, BLOCK))
            if not block or len(block) % np.dtype(VIEWS[dtype]).itemsize:
                return
            self.measure(np.frombuffer(block, dtype=VIEWS[dtype]), zero)
            length -= len(block)

    @property
    def facts(self) -> dict[str, Any]:
        """What a summary says of the weights."""
        return {
            "parameters": self.parameters,
            "precision": self.precision,
            "sparsity": self.sparsity,
            "layers": tuple(self.layers),
        }

    @property
    def parameters(self) -> int:
        """The number of weights."""
        return sum(self.by_dtype.values())

    @property
    def sparsity(self) -> float | None:
        """The share of zeros among the weights that were looked at, or None when none were."""
        return round(self.zeros / self.measured, 6) if self.measured else None

    @property
    def precision(self) -> str | None:
        """One dtype, or the shares of several by number of weights, largest first; None without weights."""
        total = self.parameters
        if not total:
            return None
        shares = [(kind, count / total) for kind, count in self.by_dtype.most_common() if count]
        if shares[0][1] >= 0.995:
            return shares[0][0]
        return ", ".join(f"{kind} {100 * share:.3g} %" for kind, share in shares[:4])
