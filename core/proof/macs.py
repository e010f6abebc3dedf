"""Counts the MACs of one call twice: by the shapes in the graph, and by a run whose every node is watched."""

from collections import Counter
from pathlib import Path

import numpy as np

from core.domain.macs import Macs, Tally
from core.onnx import files
from core.onnx import macs as rules
from core.onnx.typing import ModelProto
from core.proof.tracing import WRITTEN, trace


def counted(path: Path, inputs: dict[str, np.ndarray], batch: int) -> Macs:
    """Count one call of an ONNX file on ``inputs``. Raises Refused where it does not run."""
    model = rules.inlined(files.load(path))
    try:
        static = rules.static(model, {name: array.shape for name, array in inputs.items()})
    except rules.Unknown:
        static = None
    ran, repeated = watched(model, inputs)
    return Macs(static, ran, batch, repeated)


def watched(model: ModelProto, inputs: dict[str, np.ndarray]) -> tuple[Tally, dict[str, int]]:
    """Run the graph once as it is written, and count what ran; the second says how often each body did."""
    attributes, bodies = _named(model)
    counts: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    missing: dict[str, None] = {}
    (call,) = trace(model.SerializeToString(), inputs, WRITTEN, 1)
    for one in call.ran:
        runs[one.name] += 1
        takes, gives = ([shape for _, shape in side] for side in (one.takes, one.gives))
        try:
            counts[one.operator] += rules.of_node(one.operator, attributes.get(one.name, {}), takes, gives)
        except (rules.Unknown, IndexError, KeyError, ValueError):
            missing[f"{one.operator} is not counted: its shapes have a form that is not known here."] = None
    repeated = {body: max(runs[name] for name in inside) for body, inside in bodies.items()}
    return Tally(counts.total(), dict(+counts), tuple(missing)), repeated


def _named(model: ModelProto) -> tuple[dict[str, dict[str, object]], dict[str, list[str]]]:
    """Give every node a name of its own; return the attributes by it, and by each body the names inside."""
    attributes: dict[str, dict[str, object]] = {}
    bodies: dict[str, list[str]] = {}
    for number, (node, around) in enumerate(list(rules.nodes(model.graph))):
        node.name = f"n{number}"
        attributes[node.name] = rules.attributes(node)
        if around:
            bodies.setdefault(around, []).append(node.name)
    return attributes, bodies
