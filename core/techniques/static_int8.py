"""Int8 weights and int8 arithmetic with ranges that were learned from samples, written as pairs of QuantizeLinear and DequantizeLinear.

The integer types are those that this processor computes exactly, by ``core.onnx.saturation``. As a second wall each
candidate file answers the samples with ONNX Runtime's optimisations off, where the pairs are simulated in floats, and
on, where integer kernels run; one whose kernels lose more than the simulation is thrown away.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.domain.errors import Refused, Trouble
from core.domain.format import Summary
from core.domain.technique import KEEP, Claim, Family, Keeps, Lesson, Technique
from core.domain.transform import option
from core.onnx import calibration, files, newer_opset, saturation, weights
from core.onnx.integers import already, finish, refuse_quantized
from core.onnx.names import FreshNames
from core.onnx.saturation import HostTruth, Pairing
from core.onnx.storage import Storage
from core.onnx.typing import ModelProto
from core.shrink import integer_drafts, scaled_integers
from core.shrink.integer_drafts import Draft
from core.shrink.integer_pairs import SITES, Site, sites
from core.shrink.integer_tables import BITS, Tables
from core.shrink.scaled_integers import Scaled

OPSET = 13
"""The first with one scale a channel."""
PREFERRED = (Pairing.U8S8, Pairing.U8S8_REDUCED, Pairing.U8U8)
MEASURED, NEVER = "measured", "never"
TRIED = ("minmax", "percentile", "error")
LARGEST_LOSS = 3.0
"""Decibels that integer kernels may lose against their simulation in floats: rounding costs tenths, saturation tens."""


@dataclass(frozen=True)
class StaticOptions:
    """How ranges are chosen, how finely weights are scaled, and where the integers must be exact."""

    method: str = option(
        MEASURED,
        "How the ranges of activations are set. measured: whichever of the next three answers the samples best; "
        "minmax: all values seen; percentile: all but the tails; error: least squared error; entropy: least "
        "information lost. Entropy suits smooth values with long tails only: where a few values recur, as "
        "behind an even background, it cuts off what matters.",
        choices=(MEASURED, *TRIED, "entropy"),
    )
    percentile: float = option(
        99.99, "Percentage of the values that the method percentile keeps.", low=90.0, high=100.0
    )
    per_channel: bool = option(True, "Give each output channel of a weight tensor a scale of its own.")
    exact_on: str = option(
        "this processor",
        "Choose integer types that this processor computes exactly, or types that every processor computes exactly.",
        choices=("this processor", "every processor"),
    )
    weight_bits: int = option(
        8,
        "Bits per weight in the file; below 8, weights are corrected on the samples, and widened to int8 when the file is loaded.",
        low=2,
        high=8,
    )
    table_bits: int = option(8, "Bits per value of a lookup table, or of another matrix, in the file.", low=2, high=8)
    tables: bool = option(True, "Also store lookup tables (embeddings) as rows of int8.")
    repair: str = option(
        MEASURED,
        "Correct biases, and scale neighbouring layers to similar ranges, where this improves the answers to the samples.",
        choices=(MEASURED, NEVER),
    )
    keep: str = option("", KEEP)


class StaticInt8(Technique):
    """Quantizes Conv, Gemm and MatMul on constants, activations included."""

    title = "Static int8"
    sentence = "Runs convolutions and linear layers in integers, with ranges learned from samples: smaller, and faster on most processors."
    family, claim = Family.QUANTIZATION, Claim.SIZE
    calibrates = True
    keeps = Keeps("fashion_cnn", changed=0.03, decibels=25)
    Options = StaticOptions

    def applies(self, summary: Summary) -> Trouble | None:
        """Return why not: quantized already, or no convolution and no linear layer."""
        operators = summary.operators or {}
        return already(operators) or (None if set(SITES) & set(operators) else _nothing(sorted(operators)))

    def apply(self, source: Path, out: Path, options: StaticOptions, lesson: Lesson) -> None:
        """Write the fastest file whose integers are right here. Raises Refused without samples, sites, or such a file."""
        if not lesson.inputs:
            raise Refused("Static int8 learns ranges from samples, and there are none.", "Add a data set.")
        plain = files.load(source)
        refuse_quantized(plain)
        kept, model = weights.kept(options.keep, plain), calibration.folded(source)
        if not kept <= weights.names(model):
            model = plain
        model = newer_opset.raised(model, OPSET, lesson.inputs)
        original = weights.copied(model)
        tables = Tables(model, FreshNames.of(model), options.table_bits, kept)
        if options.tables:
            weights.rewrite(model, tables)
        found = _found(model, kept)
        narrow = _narrow(original, model, found, options.weight_bits, lesson.inputs)
        methods = TRIED if options.method == MEASURED else (options.method,)
        drafts = integer_drafts.drafts(model, found, narrow, methods, options.percentile, lesson.inputs)
        reference = calibration.joined(calibration.session(source, "all"), lesson.inputs)
        operators = tuple(sorted({SITES[site.node.op_type] for site in found}))
        for pairing in pairings(saturation.measure(), operators, options.exact_on):
            result = _best(drafts, pairing, options, source, lesson.inputs)
            if options.tables and options.table_bits < BITS:
                _pack_matrices(result, options.table_bits, kept, tables.packable)
            finish(result, source, out)
            if _trusted(out, reference, lesson.inputs):
                return
        out.unlink(missing_ok=True)
        raise Refused("This processor computes none of the int8 forms of this model correctly.", "Choose float16.")


def _found(model: ModelProto, kept: set[str]) -> list[Site]:
    found = [site for site in sites(model) if site.weight.name not in kept]
    if not found:
        nothing = _nothing(sorted({node.op_type for node in model.graph.node}))
        trouble = weights.unreached(model, 1) or nothing
        raise Refused(trouble.message, trouble.next_step)
    return found


def _narrow(
    original: ModelProto, model: ModelProto, found: list[Site], bits: int, samples: dict[str, np.ndarray]
) -> dict[str, Scaled]:
    """Round the weights of the sites in place to fewer bits than int8, and return their integers; none when they keep 8."""
    if bits == BITS:
        return {}
    return scaled_integers.corrected(original, model, bits, samples, {site.weight.name for site in found})


def _pack_matrices(model: ModelProto, bits: int, kept: set[str], packable: set[str]) -> None:
    """Pack the integers of tables, and round and pack all other matrices that are still floats."""
    storage = Storage(model)
    for weight in scaled_integers.candidates(model):
        if weight.name in packable:
            storage.put(weight, weight.array)
        elif weight.name not in kept:
            scaled_integers.store(model, storage, weight, scaled_integers.nearest(weight.array, bits))
    storage.settle()


def _best(
    drafts: list[Draft], pairing: Pairing, options: StaticOptions, source: Path, samples: dict[str, np.ndarray]
) -> ModelProto:
    """Return the model in integers that answers best: of the drafts, then of that one and its repairs; layers of few bits are corrected already."""
    few = {name: array[: integer_drafts.FEW] for name, array in samples.items()}
    reference = calibration.joined(calibration.session(source, "all"), few)
    best = integer_drafts.nearest(drafts, pairing, options.per_channel, reference, few)
    if options.repair == MEASURED and not best.narrow:
        tried = [best, *integer_drafts.repaired(best, samples)]
        best = integer_drafts.nearest(tried, pairing, options.per_channel, reference, few)
    return best.quantized(pairing, options.per_channel)


def pairings(truth: HostTruth, operators: tuple[str, ...], exact_on: str) -> list[Pairing]:
    """Return the types to try, fastest first; not on every processor is the full range of uint8 times int8 exact."""
    exact = truth.pairings(operators)
    return [one for one in PREFERRED if one in exact and (exact_on == "this processor" or one is not Pairing.U8S8)]


def _trusted(path: Path, reference: np.ndarray, samples: dict[str, np.ndarray]) -> bool:
    """Say whether integer kernels answer as well as their simulation in floats does."""
    simulated = calibration.joined(calibration.session(path, "none"), samples)
    computed = calibration.joined(calibration.session(path, "all"), samples)
    return not saturates(reference, simulated, computed)


def saturates(reference: np.ndarray, simulated: np.ndarray, computed: np.ndarray) -> bool:
    """Say whether the answers of integer kernels lie further from the model's own than those of their simulation, by 3 dB or more."""
    lost = calibration.signal_to_noise(reference, simulated) - calibration.signal_to_noise(reference, computed)
    return lost > LARGEST_LOSS


def _nothing(operators: list[str]) -> Trouble:
    held = ", ".join(operators[:5]) or "no operator"
    message = (
        f"There is nothing to quantize: no Conv, Gemm or MatMul has a constant float32 weight; the file holds {held}."
    )
    return Trouble(Refused.kind, message, "Choose float16 for its weights.")


TECHNIQUE = StaticInt8()
