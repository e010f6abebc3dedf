"""The memory that one step of training takes: weights, gradients, the optimizer's state, and what is saved for the way back."""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from core.domain.recipe import Option
from core.domain.work import Code, Data, Subject

WORKSPACE = (0.2, 0.6)
"""What a real step took beyond the sum of these four, as a share of it: from the least to the most of five measured steps."""
MOST_BATCH = 1 << 24
FORMATS = ("torch_export", "torchscript", "torch_checkpoint", "safetensors", "onnx", "onnx_external")
"""Formats of networks that torch can train, ONNX by its trainable form."""


class Optimizer(StrEnum):
    """What an optimizer keeps beside the weights."""

    SGD = "SGD"
    MOMENTUM = "SGD with momentum"
    RMSPROP = "RMSprop"
    ADAM = "Adam"
    ADAMW = "AdamW"

    @property
    def copies(self) -> int:
        """Numbers that it keeps for each weight that is trained."""
        return {Optimizer.SGD: 0, Optimizer.MOMENTUM: 1, Optimizer.RMSPROP: 1}.get(self, 2)


@dataclass(frozen=True)
class Step:
    """Bytes that one step of training holds at its peak, without the workspace of its kernels."""

    weights: int
    gradients: int
    state: int
    saved: int

    @property
    def total(self) -> int:
        """All four."""
        return self.weights + self.gradients + self.state + self.saved


@dataclass(frozen=True)
class TrainingRequest:
    """The model, the data whose shapes it is trained on, and what weights alone are opened with: options and the owner's Python file."""

    INLINE: ClassVar = ("subject",)

    subject: Subject
    data: Data | None = None
    options: dict[str, Option] = field(default_factory=dict)
    code: Code | None = None


@dataclass(frozen=True)
class Training:
    """What a model takes to train: bytes of all ``weights`` and of those ``trainable``, and the bytes that one step saves for each of some batch sizes."""

    DERIVED: ClassVar = ("per_sample", "fixed", "linear")

    weights: int
    trainable: int
    batches: tuple[int, ...]
    saved: tuple[int, ...]
    measured: bool = False
    """Whether small real steps were made, as the format cannot be reckoned without."""

    data: Data | None = None
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if len(self.batches) != len(self.saved) or not self.batches:
            raise ValueError("a step has one figure for each batch size")

    @property
    def any_batch(self) -> bool:
        """Say whether the model takes any number of samples."""
        return len(self.batches) > 1

    @property
    def per_sample(self) -> float:
        """Bytes saved for each sample more."""
        return (self.saved[-1] - self.saved[0]) / (self.batches[-1] - self.batches[0]) if self.any_batch else 0.0

    @property
    def fixed(self) -> float:
        """Bytes saved whatever the batch size."""
        return self.saved[0] - self.per_sample * self.batches[0]

    @property
    def linear(self) -> bool:
        """Say whether the figures lie on one line within 1 %, so that it holds for other batch sizes."""
        pairs = zip(self.batches, self.saved, strict=True)
        return all(abs(self.fixed + self.per_sample * n - saved) <= 0.01 * max(saved, 1) for n, saved in pairs)

    def step(self, batch: int, optimizer: Optimizer) -> Step:
        """Return what a step takes; a model of one batch size takes that, whatever is asked."""
        saved = round(self.fixed + self.per_sample * batch)
        return Step(self.weights, self.trainable, optimizer.copies * self.trainable, saved)

    def largest(self, memory: float, optimizer: Optimizer, workspace: float = WORKSPACE[1]) -> int:
        """Return the largest batch whose step fits into so many bytes with this share of workspace on top; 0 where none does."""
        room = memory / (1 + workspace)
        if not self.any_batch or self.per_sample <= 0:
            return self.batches[0] if self.step(self.batches[0], optimizer).total <= room else 0
        batch = math.floor((room - self.step(0, optimizer).total) / self.per_sample)
        return max(0, min(batch, MOST_BATCH))
