"""Weight-only integers of 2 to 8 bits, each weight rounded to the nearest; any operator, no samples, float32 arithmetic."""

from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import Refused, Trouble
from core.domain.format import Summary
from core.domain.technique import KEEP, Claim, Family, Keeps, Lesson, Technique, without_weights
from core.domain.transform import option
from core.onnx import files, weights
from core.onnx.integers import already, finish, refuse_quantized
from core.onnx.storage import Storage
from core.shrink import scaled_integers


@dataclass(frozen=True)
class NearestOptions:
    """How many bits a weight keeps."""

    bits: int = option(8, "Bits per weight.", low=2, high=8)
    keep: str = option("", KEEP)


class WeightsNearest(Technique):
    """Quantizes every float32 tensor of two dimensions or more, with a scale a channel; the file is small, speed and memory stay."""

    title = "Integer weights"
    sentence = (
        "Stores each weight as an integer of a few bits, with one scale per channel; the arithmetic stays float32."
    )
    family, claim = Family.QUANTIZATION, Claim.SIZE
    keeps = Keeps("fashion_cnn", changed=0.01, decibels=35)
    Options = NearestOptions

    def applies(self, summary: Summary) -> Trouble | None:
        """Return why not: quantized already, or no weight tensors."""
        if trouble := already(summary.operators or {}):
            return trouble
        return without_weights(summary, "quantize")

    def apply(self, source: Path, out: Path, options: NearestOptions, lesson: Lesson) -> None:
        """Round and store. Raises Refused where no tensor is large enough, or nothing gets smaller."""
        model = files.load(source)
        refuse_quantized(model)
        storage = Storage(model)
        kept = weights.kept(options.keep, model)
        found = [weight for weight in scaled_integers.candidates(model) if weight.name not in kept]
        if not found:
            raise Refused(
                f"There is nothing to quantize: no float32 tensor has two dimensions and {scaled_integers.LEAST} values.",
                "Choose another technique.",
            )
        for weight in found:
            scaled_integers.store(model, storage, weight, scaled_integers.nearest(weight.array, options.bits))
        storage.settle()
        finish(model, source, out)


TECHNIQUE = WeightsNearest()
