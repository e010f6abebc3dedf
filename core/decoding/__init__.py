"""What the outputs of a model mean: one file a way to read them, one row each."""

from typing import TYPE_CHECKING

from core.decoding import ctc
from core.domain.decoding import Decoding
from core.domain.recipe import Step
from core.domain.shelf import Shelf
from core.domain.transform import normal_options, parse_options

if TYPE_CHECKING:
    import numpy as np

DECODINGS: Shelf[Decoding] = Shelf("decoding", ctc.DECODING)


def normal(step: Step) -> Step:
    """Return a decoding with the options that differ from the defaults. Raises Refused for what is none."""
    return Step(step.transform, normal_options(DECODINGS[step.transform].Options, step.options))


def decoded(outputs: "list[np.ndarray]", step: Step | None) -> "list[np.ndarray]":
    """Return what the outputs of a model mean, alone; without a decoding, the outputs themselves."""
    if step is None:
        return outputs
    entry = DECODINGS[step.transform]
    return [entry.apply(outputs, parse_options(entry.Options, step.options))]
