"""How far a student's answers are from what it is to learn: the teacher's answers, and labels where they are used.

Classes are learned from softened probabilities (Hinton 2015, arXiv 1503.02531), other numbers by their square error.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from core.train.training.teacher import Kind, Output

LEAST = 1e-7
"""Probability below which its logarithm is cut off."""


@dataclass(frozen=True)
class Goal:
    """The outputs that are learned, and at which temperature."""

    outputs: list[Output]
    temperature: float

    def distance(self, said: list[Tensor], wanted: list[Tensor], labels: Tensor | None) -> Tensor:
        """Return the mean distance of a batch to the teacher's answers; labels [n] count as much as the teacher."""
        parts = [self._apart(one, said[one.place], wanted[one.place]) for one in self.outputs]
        taught = torch.stack(parts).mean()
        return taught if labels is None else (taught + self._wrong(said, labels)) / 2

    def usable(self, labels: np.ndarray | None, answers: list[np.ndarray]) -> np.ndarray | None:
        """Return labels as class numbers int64 [n], or as numbers float32 [n] where a number is answered; None where they do not fit."""
        one = self._named
        if labels is None or one is None:
            return None
        if one.kind is Kind.NUMBERS:
            fit = labels.dtype.kind in "fiub" and answers[one.place].size == len(labels)
            return labels.astype(np.float32) if fit else None
        classes = answers[one.place].shape[1]
        if labels.dtype.kind == "U":
            names, labels = np.unique(labels, return_inverse=True)
            return labels.astype(np.int64) if len(names) == classes else None
        numbers = labels.astype(np.int64)
        fit = np.array_equal(numbers, labels) and numbers.min() >= 0 and numbers.max() < classes
        return numbers if fit else None

    @property
    def _named(self) -> Output | None:
        """The output that labels are about: the first of classes [n, c], else the first number."""
        classes = [one for one in self.outputs if one.kind is not Kind.NUMBERS and one.axis == 1]
        return next(iter([*classes, *self.outputs]), None)

    def _apart(self, one: Output, said: Tensor, wanted: Tensor) -> Tensor:
        if one.kind is Kind.NUMBERS:
            return F.mse_loss(said, wanted) / one.variance
        mine, theirs = (_log(one.kind, each) / self.temperature for each in (said, wanted))
        mine, theirs = F.log_softmax(mine, one.axis), F.log_softmax(theirs, one.axis)
        # Softening shrinks the gradients by 1 / T**2; the factor keeps them level with those of labels (Hinton 2015,
        # section 2).
        return (theirs.exp() * (theirs - mine)).sum(one.axis).mean() * self.temperature**2

    def _wrong(self, said: list[Tensor], labels: Tensor) -> Tensor:
        one = self._named
        assert one is not None
        if one.kind is Kind.NUMBERS:
            return F.mse_loss(said[one.place].reshape(len(labels)), labels) / one.variance
        return F.cross_entropy(_log(one.kind, said[one.place]), labels)


def _log(kind: Kind, values: Tensor) -> Tensor:
    return values if kind is Kind.LOGITS else values.clamp_min(LEAST).log()
