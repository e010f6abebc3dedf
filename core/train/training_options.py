"""What every technique that trains can be told; declared once, apart from the training itself, which takes torch."""

from dataclasses import dataclass
from typing import Any

from core.domain.technique import KEEP
from core.domain.transform import option


def minutes(default: float, most: float = 8.0) -> Any:
    """Return the field for how long it trains."""
    words = "Longest training time in minutes; a whole job has ten."
    return option(default, words, low=0.05, high=most)


def rate(default: float) -> Any:
    """Return the field for how fast it learns."""
    return option(default, "Highest learning rate, for the Adam optimiser.", low=1e-6, high=0.1)


@dataclass(frozen=True)
class TrainingOptions:
    """How long and how fast a model learns, and from what."""

    minutes: float = minutes(4.0)
    epochs: int = option(60, "Largest number of passes over the samples (epochs).", low=1, high=10_000)
    teraflops: float = option(
        0.0,
        "Most operations to compute, in trillions, which does not depend on how busy the machine is; 0 for no limit.",
        low=0.0,
        high=1e6,
    )
    learning_rate: float = rate(0.001)
    labels: str = option(
        "use",
        "Also learn from the labels where the data has any, or from the original's answers only.",
        choices=("use", "ignore"),
    )
    temperature: float = option(
        2.0,
        "Temperature of the answers to learn: above 1, less likely classes count more; 1 leaves them as they are.",
        low=0.5,
        high=20.0,
    )
    seed: int = option(1, "Seed for the random order of the samples.", low=0, high=2**31 - 1)
    keep: str = option("", KEEP)
