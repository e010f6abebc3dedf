"""The residual blocks of an ONNX model, and the model without those that its answers need least.

A block is an addition of two values of one shape of which one, the branch, is computed from the other, the skip, by
layers with weights: a pair of convolutions, an attention, a feed-forward part. A network of such blocks loses little
where one is left out (Veit 2016, arXiv 1605.06431), and which one is measured (Men 2024, arXiv 2403.03853).
"""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from core import linear_layers, onnx_weights, sensitivity
from core.domain.errors import Refused
from core.onnx_unfolding import sweep

SUMS = ("Add", "Sum")
VIEWS = ("Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""Operators that a skip may pass through beside its branch."""
TABLE = 64
"""Weights in one tensor of a branch at least: below, the sum is part of an activation written out, as of GELU."""
RUNS, FEWEST = 2048, 16
"""Samples that all trials together run about, and each at least."""
NEAREST = 8
"""Blocks that are tried again once another has gone: those that were missed least before."""


@dataclass(frozen=True)
class Block:
    """One block of the main graph by the output of its sum, and the value that is left without its branch."""

    sum: str
    skip: str


def blocks(model: Any, samples: dict[str, Any], kept: frozenset[str] = frozenset()) -> list[Block]:
    """Return the blocks in the order in which they run, less those that hold weights named in ``kept``."""
    found = [pair for node in model.graph.node if (pair := _pair(model, node))]
    shapes = _shapes(model, sorted({name for node, _ in found for name in node.input}), samples) if found else {}
    return [
        block
        for node, block in found
        if shapes[node.input[0]] == shapes[node.input[1]] and not _weights(model, node, block.skip) & kept
    ]


def without(model: Any, block: Block) -> Any:
    """Return a copy in which the skip goes on alone and what only the branch needed is gone."""
    left = copy.deepcopy(model)
    answers = {value.name for value in left.graph.output}
    node = next(node for node in left.graph.node if block.sum in node.output)
    node.op_type, node.input[:] = "Identity", [block.skip]
    if block.sum not in answers:
        _read_instead(left, block)
        left.graph.node.remove(node)
    sweep(left, lambda one: True)
    onnx_weights.drop_unread(left)
    return left


def shallower(
    model: Any, count: int, samples: dict[str, Any], kept: frozenset[str], tell: Callable[[float, str], None]
) -> Any:
    """Return the model without ``count`` blocks, those first that its answers to the samples miss least.

    Each is left out alone; once the least missed is gone, its followers are tried again. Raises Refused where there is
    no block, or none would be left.
    """
    found = blocks(model, samples, kept)
    _check(found, count, model)
    runs = len(found) + (count - 1) * min(NEAREST, len(found))
    few = {name: array[: max(FEWEST, RUNS // runs)] for name, array in samples.items()}
    expected, missed, done = sensitivity.answers(model, few), dict.fromkeys(found, (0.0, 0.0)), 0
    for step in range(count):
        left = [block for block in blocks(model, samples, kept) if block in missed]
        _check(left, 1, model)
        tried = sorted(left, key=lambda block: missed[block])[: NEAREST if step else None]
        for block in tried:
            missed[block] = _missed(without(model, block), few, expected)
            done += 1
            tell(min(1.0, done / runs), f"left out {done} of {runs} blocks for a trial")
        model = without(model, min(tried, key=lambda block: missed[block]))
    return model


def _check(found: list[Block], count: int, model: Any) -> None:
    if not found:
        fused = {node.op_type for node in model.graph.node if node.op_type.startswith("Skip")}
        why = f"its sums are fused into {', '.join(sorted(fused))}" if fused else "no value is added to what is made of it"
        raise Refused(f"The model has no residual block: {why}.", "Make it narrower instead: prune_channels.")
    if count >= len(found):
        raise Refused(
            f"The model has {len(found)} residual blocks, and {count} are to go: at least one must stay.",
            "Let fewer blocks go, or make the model narrower: prune_channels.",
        )


def _missed(model: Any, samples: dict[str, Any], expected: list[Any]) -> tuple[float, float]:
    """Return the error of the floats that are answered, and the share of other answers that changed; infinite for no numbers."""
    try:
        got = sensitivity.answers(model, samples)
    except Refused:
        return np.inf, np.inf
    changed = [float(np.mean(a != b)) for a, b in zip(expected, got, strict=True) if a.dtype.kind != "f"]
    return float(np.nan_to_num(sensitivity.distance(expected, got), nan=np.inf)), sum(changed)


def _pair(model: Any, node: Any) -> tuple[Any, Block] | None:
    """Return a sum as a block where one of its two values is computed from the other by weights, whatever their shapes."""
    if node.op_type not in SUMS or len(node.input) != 2 or node.domain not in ("", "ai.onnx"):
        return None
    for skip in node.input:
        if _weights(model, node, skip):
            return node, Block(node.output[0], skip)
    return None


def _weights(model: Any, node: Any, skip: str) -> set[str]:
    """Return the tables that are read on the way from a skip to the sum; none where no way leads there, or past the sum."""
    made = {name: one for one in model.graph.node for name in one.output}
    branch = next((name for name in node.input if name != skip), skip)
    root = skip
    while root in made and made[root].op_type in VIEWS:
        root = made[root].input[0]
    before, after = _before(branch, made), _after(root, model)
    between = [one for one in model.graph.node if set(one.output) & before and set(one.output) & after]
    read = {name for one in between for name in one.input}
    return {weight.name for weight in onnx_weights.weights(model, TABLE) if weight.name in read}


def _before(name: str, made: dict[str, Any]) -> set[str]:
    """Return a value with all that it is made of."""
    found, ahead = set[str](), [name]
    while ahead:
        one = ahead.pop()
        if one not in found:
            found.add(one)
            ahead.extend(_reads(made[one]) if one in made else ())
    return found


def _after(name: str, model: Any) -> set[str]:
    """Return what is made of a value; nodes stand in the order in which they run."""
    found = {name}
    for node in model.graph.node:
        if found & set(_reads(node)):
            found.update(node.output)
    return found - {name}


def _reads(node: Any) -> Iterator[str]:
    """Yield what a node reads, its inner graphs included."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for graph in onnx_weights.graphs(attribute.g) if attribute.HasField("g") else ():
            yield from (name for inner in graph.node for name in inner.input if name)


def _read_instead(model: Any, block: Block) -> None:
    for graph in onnx_weights.graphs(model.graph):
        for value in graph.output:
            value.name = block.skip if value.name == block.sum else value.name
        for node in graph.node:
            node.input[:] = [block.skip if name == block.sum else name for name in node.input]


def _shapes(model: Any, names: list[str], samples: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    for values in linear_layers.recorded(model, names, samples):
        return {name: np.shape(value) for name, value in zip(names, values, strict=True)}
    raise Refused("The model takes more samples at a time than there are to learn from.", "Add more samples.")
