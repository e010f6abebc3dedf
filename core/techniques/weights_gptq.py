"""Weight-only integers of 2 to 8 bits, where the weights of a layer that are still free make up for those that were rounded.

GPTQ (Frantar 2022, arXiv 2210.17323) on Conv, Gemm and MatMul, layer by layer on what the layers before it now give;
tables and other tensors are rounded to the nearest. It needs samples and no labels.
"""

from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import Refused, Trouble
from core.domain.format import Summary
from core.domain.technique import KEEP, Claim, Family, Keeps, Lesson, Technique
from core.domain.transform import option
from core.onnx import files, linear_layers, weights
from core.onnx.integers import already, finish, refuse_quantized
from core.onnx.storage import Storage
from core.shrink import scaled_integers


@dataclass(frozen=True)
class GptqOptions:
    """How many bits a weight keeps."""

    bits: int = option(4, "Bits per weight of a layer.", low=2, high=8)
    table_bits: int = option(
        6, "Bits per value of a lookup table; these are rounded without correction.", low=2, high=8
    )
    keep: str = option("", KEEP)


class WeightsGptq(Technique):
    """Quantizes layer by layer with the error of each column spread over the columns to come."""

    title = "Integer weights, corrected"
    sentence = (
        "Stores weights as integers of a few bits, rounded so that the layers' answers to your samples change least."
    )
    family, claim, calibrates = Family.QUANTIZATION, Claim.SIZE, True
    keeps = Keeps("fashion_cnn", changed=0.04, decibels=23)
    Options = GptqOptions

    def applies(self, summary: Summary) -> Trouble | None:
        """Return why not: quantized already, or no layer that multiplies by a matrix."""
        operators = summary.operators or {}
        if trouble := already(operators):
            return trouble
        return None if {"Conv", "Gemm", "MatMul"} & set(operators) else _nothing()

    def apply(self, source: Path, out: Path, options: GptqOptions, lesson: Lesson) -> None:
        """Round, correct and store. Raises Refused without samples or layers, or where nothing gets smaller."""
        if not lesson.inputs:
            raise Refused("Correction learns from samples, and there are none.", "Add a data set.")
        model, original = files.load(source), files.load(source)
        refuse_quantized(model)
        storage = Storage(model)
        named = {layer.weight.name for layer in linear_layers.layers(model, scaled_integers.LEAST)}
        if not named:
            trouble = weights.unreached(model, scaled_integers.LEAST) or _nothing()
            raise Refused(trouble.message, trouble.next_step)
        kept = weights.kept(options.keep, model)
        rest = [weight for weight in scaled_integers.candidates(model) if weight.name not in named | kept]
        scaled = {weight.name: scaled_integers.nearest(weight.array, options.table_bits) for weight in rest}
        for weight in rest:
            weight.put(scaled[weight.name].array)
        scaled |= scaled_integers.corrected(original, model, options.bits, lesson.inputs, named - kept)
        for weight in scaled_integers.candidates(model):
            if weight.name in scaled:
                scaled_integers.store(model, storage, weight, scaled[weight.name])
        storage.settle()
        finish(model, source, out)


def _nothing() -> Trouble:
    message = f"There is nothing to correct: no Conv, Gemm or MatMul has {scaled_integers.LEAST} constant weights."
    return Trouble(Refused.kind, message, "Choose integer weights without correction, or float16.")


TECHNIQUE = WeightsGptq()
