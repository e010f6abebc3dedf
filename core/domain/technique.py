"""The arrow that keeps the format: a way to make a model smaller or faster, at a cost that is measured and not declared."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from core.domain.errors import Refused, Trouble
from core.domain.format import Summary
from core.domain.shelf import Entry
from core.domain.transform import UNBOUNDED, NoOptions, Tolerance, option_fields


class Family(StrEnum):
    """The kinds of technique that charts tell apart by colour and shape."""

    QUANTIZATION = "quantization"
    PRUNING = "pruning"
    SHARING = "weight sharing"
    LOW_RANK = "low rank"
    DISTILLATION = "distillation"
    CLEAN_UP = "clean-up"


class Claim(StrEnum):
    """What a technique says it makes smaller, or gives back; the measure that its shelf test applies."""

    SIZE = "file size"
    TRAVEL = "download size"
    LATENCY = "latency"
    QUALITY = "quality after another step"


HALVES = ("calibration", "test")
"""What techniques learn from, and what they are measured on; no sample is in both."""

QUARTERS = ("learning", "selection")
"""The calibration half cut again, for a search: what its candidates learn from, and what it chooses among them by."""

KEEP = "Names of weights to leave unchanged, separated by commas; empty for none."
"""The help of the option that techniques have which change weights; ``onnx_weights.kept`` reads it."""

ANY = Tolerance(absolute=UNBOUNDED, relative=0.0, flips=1.0)
"""For a technique that changes the numbers: what that costs is measured in predictions and in quality, on data."""


def without_weights(summary: Summary, purpose: str) -> Trouble | None:
    """Return why there is nothing to ``purpose`` in a file without weight tensors, or None where it has some."""
    if summary.layers:
        return None
    return Trouble(Refused.kind, f"The file has no weight tensors to {purpose}.", "Choose another technique.")


@dataclass(frozen=True)
class Lesson:
    """What a technique may learn from.

    ``inputs`` maps input names to arrays [n, ...], empty where the technique needs none; ``labels`` [n] are there where
    the owner gave some; ``teacher`` is the ONNX file that the row of techniques began with.
    """

    teacher: Path
    inputs: dict[str, Any]
    labels: Any | None = None
    tell: Callable[[float, str], None] = lambda share, text: None
    """Takes how far a long technique is, from 0 to 1, and what it does now."""


@dataclass(frozen=True)
class Keeps:
    """What is kept of the answers of a shipped sample at a technique's default options, on the half that it never saw."""

    sample: str
    """The sample's folder."""

    changed: float
    """Largest share of predictions that may differ from the sample's own."""

    decibels: float | None = None
    """Least ratio of the sample's answers to what they differ by, in power: a wrong scale shows where no prediction changes. None for trainings, which may scale."""

    after: str = ""
    """Technique that takes something away first, where this one gives back."""


class Technique(Entry):
    """Rewrites an ONNX file, the hub, so that it stays an ONNX file which stock ONNX Runtime opens; runs in the sandboxed worker."""

    family: ClassVar[Family]
    claim: ClassVar[Claim]
    calibrates: ClassVar[bool] = False
    """The technique learns from samples; they are of the calibration half of the user's data, never of the test half."""

    rows: ClassVar[int] = 256
    """Samples that it is given at most."""

    kind: ClassVar[str] = "light"
    """The sort of warm child that it runs in."""

    keeps: ClassVar[Keeps]
    """What the shelf's test holds it to."""

    tolerance: ClassVar[Tolerance] = ANY
    """A technique without loss declares how far rounding may move the answers."""

    Options: ClassVar[type] = NoOptions

    def applies(self, summary: Summary) -> Trouble | None:
        """Return why the technique can do nothing for a file with this summary and what to do instead, or None when it can."""
        return None

    def apply(self, source: Path, out: Path, options: Any, lesson: Lesson) -> None:
        """Read ``source`` and write ``out``.

        Raises Refused with the reason and the next step, also where nothing would get smaller.
        """
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """Return the table row with family, claim and options."""
        return {
            **super().to_json(),
            "family": str(self.family),
            "claim": str(self.claim),
            "calibrates": self.calibrates,
            "keeps": asdict(self.keeps),
            "options": {f.name: {"default": f.default, "help": f.help} for f in option_fields(self.Options)},
        }
