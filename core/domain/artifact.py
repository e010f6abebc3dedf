"""The one thing that everything turns around: an immutable model file known by its SHA-256."""

from dataclasses import dataclass, field
from typing import Any, Self

from core.domain.recipe import Step

Dim = int | str | None


@dataclass(frozen=True)
class TensorSpec:
    """One input or output: its name, NumPy dtype name, and shape with numbers, symbols or None for the unknown."""

    name: str
    dtype: str
    shape: tuple[Dim, ...] | None

    def to_json(self) -> dict[str, Any]:
        """Return name, dtype and shape (a list, or null when unknown)."""
        return {"name": self.name, "dtype": self.dtype, "shape": None if self.shape is None else list(self.shape)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a spec from ``to_json``."""
        shape = value["shape"]
        return cls(str(value["name"]), str(value["dtype"]), None if shape is None else tuple(shape))


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a model, in order."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return both lists as plain values."""
        return {"inputs": [s.to_json() for s in self.inputs], "outputs": [s.to_json() for s in self.outputs]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a signature from ``to_json``."""
        return cls(
            tuple(TensorSpec.from_json(s) for s in value["inputs"]),
            tuple(TensorSpec.from_json(s) for s in value["outputs"]),
        )


@dataclass(frozen=True)
class Artifact:
    """A model file in the store: format id, SHA-256, size in bytes, the visitor's name for it, its parent and the step between them."""

    id: str
    sha256: str
    size: int
    format: str
    name: str
    parent: str | None = None
    step: Step | None = None
    created: float = 0.0
    consented: bool = False
    sample: str | None = field(default=None)
