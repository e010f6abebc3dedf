"""Int8 weights and int8 arithmetic with ranges that were learned from samples, written as pairs of QuantizeLinear and DequantizeLinear.

The integer types are those that this processor computes exactly, by ``core.host_truth``. As a second wall each
candidate file answers the samples with ONNX Runtime's optimisations off, where the pairs are simulated in floats, and
on, where integer kernels run; one whose kernels lose more than the simulation is thrown away.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import calibration, host_truth, onnx_files, onnx_weights, scaled_integers
from core.domain.errors import Refused, Trouble
from core.domain.technique import KEEP, Claim, Family, Lesson, Technique
from core.host_truth import HostTruth, Pairing
from core.integer_pairs import SITES, Site, join, quantized, sites
from core.integer_tables import BITS, Tables
from core.integers import Names, already, finish, refuse_quantized
from core.onnx_storage import Storage
from core.scaled_integers import Scaled

OPSET = 13
"""The first with one scale a channel."""
PREFERRED = (Pairing.U8S8, Pairing.U8S8_REDUCED, Pairing.U8U8)
LARGEST_LOSS = 3.0
"""Decibels that integer kernels may lose against their simulation in floats: rounding costs tenths, saturation tens."""


@dataclass(frozen=True)
class StaticOptions:
    """How ranges are chosen, how finely weights are scaled, and where the integers must be exact."""

    method: str = field(
        default="minmax",
        metadata={
            "help": "Range of activations: all that was seen, all but the tails, least squared error, or least information lost.",
            "choices": ("minmax", "percentile", "error", "entropy"),
        },
    )
    percentile: float = field(
        default=99.99,
        metadata={"help": "Share of the values that the method percentile keeps, in %.", "low": 90.0, "high": 100.0},
    )
    per_channel: bool = field(default=True, metadata={"help": "Give each output channel of a weight its own scale."})
    exact_on: str = field(
        default="this processor",
        metadata={
            "help": "Choose integer types that this processor computes exactly, or types that every processor does.",
            "choices": ("this processor", "every processor"),
        },
    )
    weight_bits: int = field(
        default=8,
        metadata={
            "help": "Bits a weight keeps in the file; below 8 they are corrected from the samples, and widened to int8 at load.",
            "low": 2,
            "high": 8,
        },
    )
    table_bits: int = field(
        default=8,
        metadata={
            "help": "Bits a number of a lookup table, or of another matrix, keeps in the file.",
            "low": 2,
            "high": 8,
        },
    )
    tables: bool = field(default=True, metadata={"help": "Store lookup tables (embeddings) as int8 rows too."})
    keep: str = field(default="", metadata=KEEP)


class StaticInt8(Technique):
    """Quantizes Conv, Gemm and MatMul on constants, activations included."""

    title = "Static int8"
    sentence = "Runs convolutions and linear layers in integers, with ranges learned from samples: smaller, and faster on most processors."
    family, claim = Family.QUANTIZATION, Claim.SIZE
    calibrates = True
    Options = StaticOptions

    def applies(self, summary: dict[str, Any]) -> Trouble | None:
        """Return why not: quantized already, or no convolution and no linear layer."""
        operators = summary["operators"] or {}
        return already(operators) or (None if set(SITES) & set(operators) else _nothing(sorted(operators)))

    def apply(self, source: Path, out: Path, options: StaticOptions, lesson: Lesson) -> None:
        """Write the fastest file whose integers are right here. Raises Refused without samples, sites, or such a file."""
        if not lesson.inputs:
            raise Refused("Static int8 learns ranges from samples, and there are none.", "Add a data set.")
        plain = onnx_files.load(source)
        refuse_quantized(plain)
        kept, model = onnx_weights.kept(options.keep, plain), calibration.folded(source)
        if not kept <= onnx_weights.names(model):
            model = plain
        found = _found(model, kept)
        narrow = _narrow(model, found, options.weight_bits, lesson.inputs)
        spans = _spans(model, found, options, lesson.inputs)
        reference = calibration.joined(calibration.session(source, "all"), lesson.inputs)
        operators = tuple(sorted({SITES[site.node.op_type] for site in found}))
        for pairing in pairings(host_truth.measure(), operators, options.exact_on):
            result = quantized(model, found, spans, pairing, options.per_channel, narrow)
            if options.tables:
                _store_tables(result, options.table_bits, kept)
            finish(result, source, out)
            if _trusted(out, reference, lesson.inputs):
                return
        out.unlink(missing_ok=True)
        raise Refused("This processor computes no int8 file of this model as it is meant.", "Choose float16.")


def _found(model: Any, kept: set[str]) -> list[Site]:
    if onnx_files.opset(model) < OPSET:
        step = "Write it in a newer opset first: convert ONNX to ONNX."
        raise Refused(f"Opset {onnx_files.opset(model)} has no scales for channels; they came with {OPSET}.", step)
    found = [site for site in sites(model) if site.weight.name not in kept]
    if not found:
        nothing = _nothing(sorted({node.op_type for node in model.graph.node}))
        raise Refused(nothing.message, nothing.next_step)
    return found


def _narrow(model: Any, found: list[Site], bits: int, samples: dict[str, Any]) -> dict[str, Scaled]:
    """Round the weights of the sites in place to fewer bits than int8, and return their integers; none when they keep 8."""
    if bits == BITS:
        return {}
    original = type(model)()
    original.CopyFrom(model)
    return scaled_integers.corrected(original, model, bits, samples, {site.weight.name for site in found})


def _store_tables(model: Any, bits: int, kept: set[str]) -> None:
    """Store tables as int8 rows; with fewer bits, pack them and all other matrices that are still floats."""
    fresh = Names(model)
    tables = Tables(model, fresh, bits, kept)
    onnx_weights.rewrite(model, tables)
    onnx_weights.drop_unread(model)
    if bits == BITS:
        return
    storage = Storage(model)
    for weight in scaled_integers.candidates(model):
        if weight.name in tables.packable:
            storage.put(weight, weight.array)
        elif weight.name not in kept:
            scaled_integers.store(model, storage, weight, scaled_integers.nearest(weight.array, bits), fresh)
    storage.settle()


def _spans(model: Any, found: list[Site], options: StaticOptions, samples: dict[str, Any]) -> Any:
    names = list(dict.fromkeys(name for site in found for name in (site.node.input[0], site.after) if name))
    spans = calibration.ranges(model, names, samples, options.method, options.percentile)
    join(spans, model)
    return spans


def pairings(truth: HostTruth, operators: tuple[str, ...], exact_on: str) -> list[Pairing]:
    """Return the types to try, fastest first; not on every processor is the full range of uint8 times int8 exact."""
    exact = truth.pairings(operators)
    return [one for one in PREFERRED if one in exact and (exact_on == "this processor" or one is not Pairing.U8S8)]


def _trusted(path: Path, reference: Any, samples: dict[str, Any]) -> bool:
    """Say whether integer kernels answer as well as their simulation in floats does."""
    simulated = calibration.joined(calibration.session(path, "none"), samples)
    computed = calibration.joined(calibration.session(path, "all"), samples)
    return not saturates(reference, simulated, computed)


def saturates(reference: Any, simulated: Any, computed: Any) -> bool:
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
