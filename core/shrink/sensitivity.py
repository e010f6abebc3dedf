"""Says how much the answers of a model suffer from each change of one tensor, and picks changes within a number of bytes."""

from dataclasses import dataclass

import numpy as np

from core.domain.errors import Refused
from core.onnx import linear_layers
from core.onnx.typing import ModelProto, Samples
from core.onnx.weights import Arrays

SAMPLES = 128
"""Samples that each change is tried on at most."""


@dataclass(frozen=True)
class Change:
    """What is done to a tensor, as a number of one's own, the bytes that it takes then, and the error of the answers, 0 or more."""

    level: int
    bytes: int
    error: float


def error(model: ModelProto, arrays: Arrays, expected: list[np.ndarray], samples: Samples) -> float:
    """Return the mean square error of the answers, as a share of their variance, with some arrays in place for a moment."""
    return distance(expected, answers_with(model, arrays, samples))


def answers_with(model: ModelProto, arrays: Arrays, samples: Samples) -> list[np.ndarray]:
    """Return the outputs of a model on the first samples with some arrays in place for a moment."""
    before = [(weight, weight.array) for weight, _ in arrays]
    put(arrays)
    try:
        return answers(model, samples)
    finally:
        put(before)


def distance(expected: list[np.ndarray], got: list[np.ndarray]) -> float:
    """Return the mean square difference of answers of floats, as a share of the variance of those expected."""
    shares = [_share(a, b) for a, b in zip(expected, got, strict=True) if a.dtype.kind == "f" and a.size]
    return float(np.mean(shares)) if shares else 0.0


def answers(model: ModelProto, samples: Samples) -> list[np.ndarray]:
    """Return the outputs of a model on the first samples. Raises Refused when they do not run."""
    few = {name: array[:SAMPLES] for name, array in samples.items()}
    names = [value.name for value in model.graph.output]
    chunks = list(linear_layers.recorded(model, names, few))
    found = [np.concatenate([np.atleast_1d(chunk[place]) for chunk in chunks]) for place in range(len(names))]
    if any(one.dtype.kind == "f" and np.isnan(one).any() for one in found):
        raise Refused("The model's answers to the samples are not numbers.", "Look for broken weights in the model.")
    return found


def chosen(changes: dict[str, list[Change]], most: int) -> dict[str, Change]:
    """Return one change for each tensor with the least sum of errors in ``most`` bytes, or the smallest where none fits.

    Starts from the least error, always takes the step that costs the least error for a byte, and then spends what the
    last step saved beyond need.
    """
    picked = {name: min(options, key=lambda one: (one.error, one.bytes)) for name, options in changes.items()}
    while sum(change.bytes for change in picked.values()) > most:
        steps = [
            (name, option)
            for name, options in changes.items()
            for option in options
            if option.bytes < picked[name].bytes
        ]
        if not steps:
            break
        name, option = min(steps, key=lambda step: _price(picked[step[0]], step[1]))
        picked[name] = option
    return _spent(changes, picked, most)


def _spent(changes: dict[str, list[Change]], picked: dict[str, Change], most: int) -> dict[str, Change]:
    """Go back to smaller errors, those first that gain most for a byte, as long as they fit."""
    while True:
        left = most - sum(change.bytes for change in picked.values())
        steps = [
            (name, option)
            for name, options in changes.items()
            for option in options
            if option.error < picked[name].error and option.bytes - picked[name].bytes <= left
        ]
        if not steps:
            return picked
        name, option = max(steps, key=lambda step: _gain(picked[step[0]], step[1]))
        picked = {**picked, name: option}


def _gain(now: Change, then: Change) -> float:
    return (now.error - then.error) / max(then.bytes - now.bytes, 1)


def _price(now: Change, then: Change) -> float:
    return (then.error - now.error) / (now.bytes - then.bytes)


def put(arrays: Arrays) -> None:
    """Put arrays into their weights, densely."""
    for weight, array in arrays:
        weight.put(array)


def _share(expected: np.ndarray, got: np.ndarray) -> float:
    spread = max(float(np.var(expected.astype(np.float64))), 1e-30)
    return float(np.mean((expected.astype(np.float64) - got) ** 2)) / spread
