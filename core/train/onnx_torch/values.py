"""What flows between operators: tensors, and Known values that are numbers (or torch's symbols for a free size) while the graph is traced."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch

from core.domain.errors import Refused

NUMPY: dict[torch.dtype, type[np.generic]] = {
    torch.float64: np.float64,
    torch.float32: np.float32,
    torch.float16: np.float16,
    torch.int64: np.int64,
    torch.int32: np.int32,
    torch.int16: np.int16,
    torch.int8: np.int8,
    torch.uint8: np.uint8,
    torch.bool: np.bool_,
}
"""The dtypes whose small constants are followed as numbers."""
MAX_KNOWN = 1024
"""Elements up to which a constant is followed as numbers."""

Size = int | torch.SymInt
"""A size, or torch's symbol for one that is free."""
Numbers = np.ndarray | np.generic | Size | float


class Known:
    """Numbers in a NumPy array (of objects where a size is a symbol), their torch dtype, and the buffer that holds them if one does."""

    __slots__ = ("array", "dtype", "held")

    def __init__(self, array: Numbers, dtype: torch.dtype, held: torch.Tensor | None = None) -> None:
        self.array, self.dtype, self.held = settled(array, dtype), dtype, held

    def tensor(self) -> torch.Tensor:
        """Return the numbers as a tensor; a size that is a symbol stays one in the exported graph."""
        if self.held is not None:
            return self.held
        if self.array.dtype != object:
            return torch.tensor(self.array.tolist(), dtype=self.dtype).reshape(self.array.shape)
        parts = [
            part.to(self.dtype) if isinstance(part, torch.Tensor) else torch.scalar_tensor(part, dtype=self.dtype)
            for part in self.array.reshape(-1).tolist()
        ]
        return torch.stack(parts).reshape(self.array.shape)


Value = torch.Tensor | Known


def is_traced() -> bool:
    """Say whether the graph is being traced, or is tried before that, so that nothing may depend on the data."""
    return _TRIED.get() or torch.compiler.is_compiling() or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]


@contextmanager
def tried() -> Iterator[None]:
    """Run a network with its own numbers, but by the rules of a trace."""
    token = _TRIED.set(True)
    try:
        yield
    finally:
        _TRIED.reset(token)


_TRIED: ContextVar[bool] = ContextVar("tried", default=False)


def at_least_zero(number: Any) -> Any:
    """Cut a size off at zero: a number, a symbol, or what a trace has for one."""
    if isinstance(number, torch.Tensor):
        return torch.clamp(number, min=0)
    return max(number, 0) if isinstance(number, int) else torch.sym_max(number, 0)  # type: ignore[no-untyped-call]


def settled(array: Numbers, dtype: torch.dtype) -> np.ndarray:
    """Return an array of the dtype where all parts are plain numbers, else an array of objects."""
    array = array if isinstance(array, np.ndarray) else objects([array]).reshape(())
    if array.dtype == object and not all(isinstance(part, int | float | bool) for part in array.reshape(-1).tolist()):
        return array
    return array.astype(NUMPY[dtype])


def objects(parts: Sequence[object]) -> np.ndarray:
    """Return a one-dimensional array of objects, without NumPy's looking into them."""
    array = np.empty(len(parts), dtype=object)
    for place, part in enumerate(parts):
        array[place] = part
    return array


def sizes(parts: Iterable[Size]) -> Known:
    """Return sizes of tensors as a Known of int64."""
    return Known(objects(list(parts)), torch.int64)


def can_be_known(tensor: torch.Tensor) -> bool:
    """Say whether a constant is small and of a dtype that is followed as numbers."""
    return tensor.dtype in NUMPY and tensor.numel() <= MAX_KNOWN


def as_tensor(value: Value) -> torch.Tensor:
    """Return a value as operators take it: numbers become a tensor."""
    return value.tensor() if isinstance(value, Known) else value


def as_numbers(value: Value) -> Any:
    """Return a value as a list of numbers (a single one for a scalar). Raises Refused where it depends on the data while a graph is traced."""
    if isinstance(value, Known):
        return value.array.tolist()
    if is_traced():
        raise Refused(
            "a size or an index is computed from the data",
            "Simplify the model, or export it again with that number fixed.",
        )
    return value.tolist()
