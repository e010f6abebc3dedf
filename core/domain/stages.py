"""Where the time of a sample goes from the raw data to the answer: before the model, in it, and behind it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Part(StrEnum):
    """What a stage belongs to."""

    BEFORE = "pre-processing"
    FEATURES = "feature extraction"
    MODEL = "inference"
    AFTER = "post-processing"


@dataclass(frozen=True)
class StageTime:
    """One stage in words, what it belongs to, and the median of processor milliseconds."""

    name: str
    part: Part
    milliseconds: float


@dataclass(frozen=True)
class Stages:
    """The stages in order, of a call with so many samples, over so many runs."""

    DERIVED: ClassVar = ("sentence",)

    times: tuple[StageTime, ...]
    samples: int
    runs: int

    @property
    def total(self) -> float:
        """Milliseconds of all stages."""
        return sum(one.milliseconds for one in self.times)

    @property
    def shares(self) -> dict[Part, float]:
        """The share of each part that there is, in order."""
        parts = dict.fromkeys(one.part for one in self.times)
        spent = {part: sum(one.milliseconds for one in self.times if one.part is part) for part in parts}
        return {part: time / self.total if self.total else 0.0 for part, time in spent.items()}

    @property
    def sentence(self) -> str:
        """The shares, in a sentence."""
        whom = "a sample" if self.samples == 1 else f"{self.samples:,} samples"
        parts = ", ".join(f"{part} {share:.1%}" for part, share in self.shares.items())
        return f"From raw data to the answer, {whom} takes {self.total:.3g} ms of one processor: {parts}."
