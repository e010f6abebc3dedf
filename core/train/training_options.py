"""What every technique that trains can be told; declared once, apart from the training itself, which takes torch."""

from dataclasses import dataclass, field
from typing import Any

from core.domain.technique import KEEP


def minutes(default: float, most: float = 8.0) -> Any:
    """Return the field for how long it trains."""
    words = "Minutes that it trains at most; a job has ten in all."
    return field(default=default, metadata={"help": words, "low": 0.05, "high": most})


def rate(default: float) -> Any:
    """Return the field for how fast it learns."""
    return field(default=default, metadata={"help": "Largest step of a weight, by Adam.", "low": 1e-6, "high": 0.1})


@dataclass(frozen=True)
class TrainingOptions:
    """How long and how fast a model learns, and from what."""

    minutes: float = minutes(4.0)
    epochs: int = field(
        default=60, metadata={"help": "Times that each sample is seen at most.", "low": 1, "high": 10_000}
    )
    teraflops: float = field(
        default=0.0,
        metadata={
            "help": "Trillions of operations that it computes at most, the same on a quick and on a busy machine; 0 for no bound.",
            "low": 0.0,
            "high": 1e6,
        },
    )
    learning_rate: float = rate(0.001)
    labels: str = field(
        default="use",
        metadata={
            "help": "Learn from the labels too where the data has some, or from the answers of the first model alone.",
            "choices": ("use", "ignore"),
        },
    )
    temperature: float = field(
        default=2.0,
        metadata={"help": "How much the less likely classes count; 1 for as they are.", "low": 0.5, "high": 20.0},
    )
    seed: int = field(default=1, metadata={"help": "Draws the order of the samples.", "low": 0, "high": 2**31 - 1})
    keep: str = field(default="", metadata=KEEP)
