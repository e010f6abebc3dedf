"""Removes weights in the course of a training, more slowly towards the end of it (Zhu 2017, arXiv 1710.01878, equation 1).

All tables compete: a weight's score is its square times the mean square of its input, as a share of what is left in its
table with it (LAMP: Lee 2021, arXiv 2010.07611). Weights that are gone go on learning until the masks settle, and come back where
they grow large (Lin 2020, arXiv 2006.07253).
"""

import numpy as np
import torch
from torch import Tensor

from core.domain.errors import Refused
from core.onnx import linear_layers
from core.onnx.typing import Samples
from core.train.training.rules import TABLE, Loose
from core.train.training.student import Student

SETTLED = 0.6
"""Share of the training after which the same weights stay."""
STAGES = 100
"""Times that weights go, in equal parts of the time until then."""
SAMPLES = 256
"""Samples that say how large the inputs of each weight are."""


class Thinning:
    """Takes a share of the weights of a student's tables."""

    def __init__(self, student: Student, samples: Samples, share: float) -> None:
        tables = {name: rule for name, rule in student.rules.items() if isinstance(rule, Loose) and _is_table(rule)}
        if not tables:
            raise Refused(
                f"No tensor has two dimensions and {TABLE} weights that may be pruned, so there is nothing to prune.",
                "Prune before the step that shares values.",
            )
        self._tables, self._share = tables, share
        self._sizes = _input_sizes(student, samples, list(tables))
        self._before = sum(int((rule.leaf != 0).sum()) for rule in tables.values())
        self._all = sum(rule.leaf.numel() for rule in tables.values())
        self.settled, self._next = False, 0.0

    @torch.no_grad()
    def advance(self, progress: float) -> None:
        """Mask what has to be gone when this share of the training is done."""
        if self.settled or progress < self._next:
            return
        self._next = progress + SETTLED / STAGES
        self.settled = progress >= SETTLED
        left = max(0.0, 1 - progress / SETTLED) ** 3
        first = 1 - self._before / self._all
        gone = self._share + min(0.0, first - self._share) * left
        scores = {name: self._score(name) for name in self._tables}
        ordered = torch.cat(list(scores.values()))
        bound = ordered.kthvalue(min(max(1, round(gone * self._all)), self._all)).values
        for name, rule in self._tables.items():
            rule.mask = (scores[name] > bound).reshape(rule.leaf.shape)
            rule.open = not self.settled

    def _score(self, name: str) -> Tensor:
        squares = (self._tables[name].leaf.detach() ** 2 * self._sizes[name]).reshape(-1).double()
        ordered, places = squares.sort(descending=True)
        scores = torch.empty_like(squares)
        # From the largest on, the running sum is that of all weights at least as large, which LAMP divides by.
        scores[places] = ordered / ordered.cumsum(0).clamp_min(1e-30)
        return scores


def _is_table(rule: Loose) -> bool:
    return rule.leaf.dim() > 1 and rule.leaf.numel() >= TABLE


def _input_sizes(student: Student, samples: Samples, names: list[str]) -> dict[str, Tensor]:
    """Return the mean square of what each weight is multiplied by, in the shape of its tensor; 1 for tables that are no layers."""
    few = {name: array[:SAMPLES] for name, array in samples.items()}
    layers = {layer.weight.name: layer for layer in linear_layers.layers(student.model, TABLE)}
    sizes = {}
    for name in names:
        layer = layers.get(student.weights[name].name)
        if layer is None:
            sizes[name] = torch.ones(())
            continue
        squares = np.diag(linear_layers.moments(student.model, student.model, layer, few).inputs)[:-1]
        sizes[name] = torch.from_numpy(layer.array(np.broadcast_to(squares, layer.matrix.shape)))
    return sizes
