"""One way to train a small classifier, the same each time: fixed seed, fixed order, fixed number of epochs."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Training:
    """What decides the weights beside the data; it stands in the card."""

    seed: int
    epochs: int
    batch: int
    peak_rate: float
    weight_decay: float
    smoothing: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields with the method."""
        return {**asdict(self), "optimizer": "AdamW", "schedule": "one cycle", "choice": "last epoch"}


def unchanged(batch: Tensor) -> Tensor:
    """Return the batch as it is, for data that is not augmented."""
    return batch


def fit(
    build: Callable[[], nn.Module],
    inputs: np.ndarray,
    labels: np.ndarray,
    training: Training,
    augment: Callable[[Tensor], Tensor] = unchanged,
) -> nn.Module:
    """Build the network and train it on all rows; return it in evaluation mode."""
    torch.manual_seed(training.seed)
    model, x, y = build(), torch.from_numpy(inputs), torch.from_numpy(labels)
    optimizer = torch.optim.AdamW(model.parameters(), lr=training.peak_rate, weight_decay=training.weight_decay)
    steps = training.epochs * -(-len(x) // training.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=training.peak_rate, total_steps=steps)
    for _ in range(training.epochs):
        for rows in torch.split(torch.randperm(len(x)), training.batch):
            loss = nn.functional.cross_entropy(model(augment(x[rows])), y[rows], label_smoothing=training.smoothing)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()
