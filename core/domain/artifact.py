"""The one thing that everything turns around: an immutable model file known by its SHA-256."""

from dataclasses import dataclass, field

from core.domain.recipe import Step
from core.domain.references import Sha256

Dim = int | str | None


@dataclass(frozen=True)
class TensorSpec:
    """One input or output: its name, NumPy dtype name, and shape with numbers, symbols or None for the unknown."""

    name: str
    dtype: str
    shape: tuple[Dim, ...] | None


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a model, in order."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()


@dataclass(frozen=True)
class Artifact:
    """A model file in the store: format id, SHA-256, size in bytes, the visitor's name for it, its parent and the step between them."""

    id: str
    sha256: Sha256
    size: int
    format: str
    name: str
    parent: str | None = None
    step: Step | None = None
    created: float = 0.0
    consented: bool = False
    sample: str | None = field(default=None)
