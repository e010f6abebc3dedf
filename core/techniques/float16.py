"""Weights stored in float16: half the file, with the arithmetic of float32.

Each weight becomes a float16 tensor and a ``Cast`` to the type it had. ONNX Runtime folds the cast when it loads the
file, so that speed, memory, inputs and outputs stay as they were, on any operator and any engine that knows ``Cast``.
Arithmetic in float16 is not asked for: processors without its instructions insert casts around every operator, which
was measured to be no faster, and some graphs no longer load.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.domain.errors import Refused, Trouble
from core.domain.format import Summary
from core.domain.technique import KEEP, Claim, Family, Keeps, Lesson, Technique
from core.domain.transform import option
from core.onnx import files, weights
from core.onnx.integers import finish
from core.onnx.names import FreshNames

LEAST = 64
"""Values from which the two bytes saved on each outweigh the node that is added."""
LARGEST_ERROR = 1e-3
"""Of a tensor's norm; rounding to the 11 bits of float16 costs 2**-11 at most, so that more means that its range is too small."""


@dataclass(frozen=True)
class Float16Options:
    """Which weights stay."""

    keep: str = option("", KEEP)


class Float16(Technique):
    """Halves every weight tensor whose range float16 holds."""

    title = "Float16 weights"
    sentence = (
        "Stores weights in half the bytes; they are widened when the file is loaded, so speed and memory do not change."
    )
    family, claim = Family.QUANTIZATION, Claim.SIZE
    keeps = Keeps("fashion_cnn", changed=0.005, decibels=50)
    Options = Float16Options

    def applies(self, summary: Summary) -> Trouble | None:
        """Return why there is nothing to halve: no weights, or none wider than 16 bits."""
        precision = summary.precision or ""
        if summary.layers and ("float32" in precision or "float64" in precision):
            return None
        held = f"its weights are {precision}" if summary.layers and precision else "it has no weight tensors"
        return Trouble(Refused.kind, f"Float16 cannot halve this file: {held}.", "Choose another technique.")

    def apply(self, source: Path, out: Path, options: Float16Options, lesson: Lesson) -> None:
        """Store what float16 can hold. Raises Refused where that is nothing, or the file does not shrink."""
        import onnx

        model = files.load(source)
        fresh = FreshNames.of(model)
        wide = [w for w in weights.weights(model, LEAST) if w.tensor.data_type != onnx.TensorProto.FLOAT16]
        kept = weights.kept(options.keep, model)
        fitting = [weight for weight in wide if weight.name not in kept and _fits(weight.array)]
        if not fitting:
            reason = "no weight tensor fits the range of float16" if wide else "no float32 tensor has 64 or more values"
            raise Refused(f"There is nothing to halve: {reason}.", "Choose another technique.")
        for weight in fitting:
            _halve(weight, fresh)
        finish(model, source, out)


def _fits(array: np.ndarray) -> bool:
    """Say whether float16 holds the values: none overflows, and few lie below its smallest normal number; infinity it holds."""
    finite = array[np.isfinite(array)].astype(np.float64)
    with np.errstate(over="ignore"):
        error = finite.astype(np.float16) - finite
    return bool(np.linalg.norm(error) <= LARGEST_ERROR * np.linalg.norm(finite))


def _halve(weight: weights.Weight, fresh: FreshNames) -> None:
    from onnx import helper, numpy_helper

    name = fresh.short()
    half = numpy_helper.from_array(weight.array.astype(np.float16), name)
    weight.make([helper.make_node("Cast", [name], [weight.name], to=weight.tensor.data_type)], [half])


TECHNIQUE = Float16()
