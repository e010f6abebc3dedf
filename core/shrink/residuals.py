"""The residual blocks of an ONNX model, and the model without those that its answers miss least.

A block is an addition of two values of one shape of which one, the branch, is made of the other, the skip, with weights
of its own: two convolutions, an attention, a feed-forward part. A network of such blocks loses little where one is left
out (Veit 2016, arXiv 1605.06431); which one it misses least is measured (Men 2024, arXiv 2403.03853).
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.domain.errors import Refused, Trouble
from core.domain.format import Summary
from core.onnx import files, linear_layers, unread, weights
from core.onnx.integers import already, refuse_quantized
from core.onnx.typing import ModelProto, NodeProto, Samples
from core.shrink import sensitivity

SUMS = ("Add", "Sum")
VIEWS = ("Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""Operators that a skip may pass through beside its branch."""
LEAST = 256
"""Bytes of constants that go with a branch: with fewer, the sum is part of an activation that is written out, such as GELU."""
RUNS, FEWEST = 2048, 16
"""Samples that all trials together run, about, and that each runs at least."""
NEAREST = 8
"""Blocks that are tried again once another is gone: those that were missed least before."""


@dataclass(frozen=True)
class Block:
    """A block of the main graph by the output of its sum, with what goes on without its branch, and the constants that go with it."""

    sum: str
    skip: str
    constants: frozenset[str] = frozenset()


def blocks(model: ModelProto, samples: Samples) -> list[Block]:
    """Return the blocks in the order in which they run. Raises Refused where the samples do not run."""
    sums = [node for node in model.graph.node if node.op_type in SUMS and len(node.input) == 2]
    shapes = _shapes(model, sorted({name for node in sums for name in node.input}), samples)
    sizes = _constants(without(model, []))
    found = []
    for node in sums:
        skip = _skip(model, node) if shapes[node.input[0]] == shapes[node.input[1]] else None
        gone = sizes.keys() - _constants(without(model, [Block(node.output[0], skip)])).keys() if skip else set()
        if skip and sum(sizes[name] for name in gone) >= LEAST:
            found.append(Block(node.output[0], skip, frozenset(gone)))
    return found


def without(model: ModelProto, gone: list[Block]) -> ModelProto:
    """Return a copy in which only the skip of some blocks goes on, less what only their branches needed."""
    left, instead = copy.deepcopy(model), {block.sum: block.skip for block in gone}
    answers = {value.name for value in left.graph.output}
    for node in [node for node in left.graph.node if instead.keys() & set(node.output)]:
        if node.output[0] not in answers:
            left.graph.node.remove(node)
            continue
        node.op_type, node.input[:] = "Identity", [instead.pop(node.output[0])]
    for graph in weights.graphs(left.graph):
        for node in graph.node:
            node.input[:] = [_end(name, instead) for name in node.input]
    unread.sweep(left)
    unread.drop_constants(left)
    return left


def barred(summary: Summary) -> Trouble | None:
    """Return why a file with this summary has no blocks to leave out: quantized already, or no sum that could end one."""
    operators = summary.operators or {}
    if set(SUMS) & set(operators):
        return already(operators)
    return Trouble(
        Refused.kind,
        "The model never adds two values, so it has no residual blocks.",
        "Make it narrower instead: prune_channels.",
    )


def shallower(source: Path, count: int, keep: str, samples: Samples, tell: Callable[[float, str], None]) -> ModelProto:
    """Return the model without ``count`` blocks, none of them with a weight that is named in ``keep``.

    Each is left out alone; when the one is gone that the answers to the samples miss least, those next to it are tried
    again. Raises Refused where there is no block, or where none would be left.
    """
    model = _plain(source)
    kept = weights.kept(keep, model)
    found = blocks(model, samples)
    _check(model, found, count)
    free = [block for block in found if not block.constants & kept]
    trials = Trials(model, free, samples, len(free) + (count - 1) * min(NEAREST, len(free)), tell)
    gone: list[Block] = []
    while len(gone) < count:
        gone.append(trials.least_missed(gone))
    return without(model, gone)


class Trials:
    """Leaves blocks out for a moment and remembers how much they were missed when they were last tried."""

    def __init__(
        self, model: ModelProto, free: list[Block], samples: Samples, runs: int, tell: Callable[[float, str], None]
    ) -> None:
        self._model, self._free, self._runs, self._tell, self._done = model, free, runs, tell, 0
        self._samples = _few(model, samples, max(runs, 1))
        self._expected = sensitivity.answers(model, self._samples)
        self._missed = dict.fromkeys(free, (0.0, 0.0))

    def least_missed(self, gone: list[Block]) -> Block:
        """Return the block that is missed least beside those that are gone. Raises Refused where there is none."""
        there = {name for node in without(self._model, gone).graph.node for name in node.output}
        left = [block for block in self._free if block.sum in there and block not in gone]
        nearest = sorted(left, key=self._missed.__getitem__)[: NEAREST if gone else None]
        for block in nearest:
            self._missed[block] = self._try([*gone, block])
        best = min(nearest, key=self._missed.__getitem__, default=None)
        if best is None or np.isinf(self._missed[best][0]):
            raise Refused(
                f"Only {len(gone)} residual blocks can be removed.",
                "Remove fewer, or name fewer weights in the option keep.",
            )
        return best

    def _try(self, gone: list[Block]) -> tuple[float, float]:
        self._done += 1
        self._tell(min(1.0, self._done / self._runs), f"{self._done} of {self._runs} trials without a block")
        return _missed(self._expected, without(self._model, gone), self._samples)


def _plain(source: Path) -> ModelProto:
    """Return the model with its functions written out, because blocks are looked for in the main graph."""
    from onnx import inliner

    model = files.load(source)
    refuse_quantized(model)
    return inliner.inline_local_functions(model) if model.functions else model


def _check(model: ModelProto, found: list[Block], count: int) -> None:
    if not found:
        fused = sorted({node.op_type for node in model.graph.node if node.op_type.startswith("Skip")})
        why = f"its additions are fused into {', '.join(fused)}" if fused else "no result is added to its own input"
        raise Refused(f"The model has no residual block: {why}.", "Make it narrower instead: prune_channels.")
    if count >= len(found):
        raise Refused(
            f"The model has {len(found)} residual blocks and {count} are to be removed, but one must stay.",
            "Remove fewer, or make the model narrower: prune_channels.",
        )


def _missed(expected: list[np.ndarray], model: ModelProto, samples: Samples) -> tuple[float, float]:
    """Return the error of the floats that are answered, then the shares of other answers that change; infinite where they are no numbers."""
    try:
        got = sensitivity.answers(model, samples)
    except Refused:
        return np.inf, np.inf
    changed = [float(np.mean(a != b)) for a, b in zip(expected, got, strict=True) if a.dtype.kind != "f"]
    return float(np.nan_to_num(sensitivity.distance(expected, got), nan=np.inf)), sum(changed)


def _skip(model: ModelProto, node: NodeProto) -> str | None:
    """Return the input of a sum, views aside, that the other one is made of."""
    made = {name: one for one in model.graph.node for name in one.output}
    for skip, branch in (tuple(node.input), tuple(node.input)[::-1]):
        root = skip
        while root in made and made[root].op_type in VIEWS:
            root = made[root].input[0]
        if root != branch and root in _before(branch, made):
            return str(skip)
    return None


def _before(name: str, made: dict[str, NodeProto]) -> set[str]:
    """Return a value with all that it is made of."""
    found, ahead = set[str](), [name]
    while ahead:
        one = ahead.pop()
        if one not in found:
            found.add(one)
            ahead.extend(weights.reads(made[one]) if one in made else ())
    return found


def _end(name: str, instead: dict[str, str]) -> str:
    while name in instead:
        name = instead[name]
    return name


def _constants(model: ModelProto) -> dict[str, int]:
    """Return the bytes of all constants by name."""
    found = {tensor.name: tensor.ByteSize() for graph in weights.graphs(model.graph) for tensor in graph.initializer}
    nodes = [node for node in weights.nodes(model.graph) if node.op_type == "Constant"]
    return found | {node.output[0]: node.ByteSize() for node in nodes}


def _shapes(model: ModelProto, names: list[str], samples: Samples) -> dict[str, tuple[int, ...]]:
    for values in linear_layers.recorded(model, names, samples):
        return {name: np.shape(value) for name, value in zip(names, values, strict=True)}
    raise Refused("The model takes more samples at a time than there are to learn from.", "Add more samples.")


def _few(model: ModelProto, samples: Samples, runs: int) -> Samples:
    """Return the first samples: the more the fewer the trials, and a whole batch where the model insists on one."""
    dims = [value.type.tensor_type.shape.dim for value in model.graph.input]
    count = max(FEWEST, RUNS // runs, *(shape[0].dim_value for shape in dims if shape))
    return {name: array[:count] for name, array in samples.items()}
