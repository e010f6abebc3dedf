"""Where the time of a call goes: ONNX Runtime's own trace of the graph as it is served, with the work of each node beside it."""

from collections import Counter, defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from core.domain.operators import Operator, Operators
from core.onnx import files
from core.onnx import macs as rules
from core.onnx.typing import GraphProto, TensorProto
from core.proof import liveness, roof
from core.proof.tracing import SERVED, UNPACKED, Ran, Traced, trace

EVENTS, SECONDS = 50_000, 2.0
FEWEST, MOST = 5, 400
FIRST = 3
LISTED = 300
"""Nodes that are told one by one, the slowest first; the others of a kind are added up."""


def watched(path: Path, inputs: dict[str, np.ndarray], out: Path) -> Operators:
    """Trace calls of an ONNX file on ``inputs``, and write the trace to ``out``. Raises Refused where it does not run."""
    import onnx

    with TemporaryDirectory() as folder:
        graph = Path(folder) / "served.onnx"
        path = _named(path, Path(folder) / "named.onnx")
        # Weights that are packed for the kernels vanish from the trace, so shapes come from a run in which none are.
        shaped = trace(path, inputs, UNPACKED, FIRST, graph)
        served = onnx.load(graph, load_external_data=False).graph
        weights = sum(_bytes(tensor) for tensor in served.initializer)
        timed = trace(path, inputs, SERVED, _calls(shaped), out=out)
    quiet = _quietest(timed)
    nodes = sorted(_nodes(quiet, shaped[-1], served), key=lambda one: -one.microseconds)
    order, gives = [one.name for one in shaped[-1].ran], {one.name: one.given for one in shaped[-1].ran}
    return Operators(
        nodes=tuple(_shortened(nodes)),
        roof=roof.measured(),
        calls=len(quiet),
        call=float(np.mean([one.microseconds for one in quiet])),
        weights=weights,
        activations=liveness.least(served, order, gives),
    )


def _named(path: Path, out: Path) -> Path:
    """Return a copy in which each node has a name of its own, by which the trace is read, or the file itself where that is so."""
    model = files.load(path)
    nodes = [node for node, _ in rules.nodes(model.graph)]
    if len({node.name for node in nodes if node.name}) == len(nodes):
        return path
    taken = Counter(node.name for node in nodes)
    for number, node in enumerate(nodes):
        if not node.name or taken[node.name] > 1:
            node.name = f"{node.name or node.op_type} #{number}"
    out.write_bytes(model.SerializeToString())
    return out


def _calls(first: list[Traced]) -> int:
    """Return how many calls the events and seconds allow."""
    by_events = EVENTS // max(1, len(first[-1].ran))
    by_time = SECONDS * 1e6 / max(1.0, min(one.microseconds for one in first))
    return int(max(FEWEST, min(MOST, by_events, by_time)))


def _quietest(calls: list[Traced]) -> list[Traced]:
    """Return the shortest quarter of the calls: a trace knows the clock alone, and other work lengthens some."""
    return sorted(calls, key=lambda one: one.microseconds)[: max(FEWEST, len(calls) // 4)]


def _nodes(timed: list[Traced], shaped: Traced, served: GraphProto) -> list[Operator]:
    attributes = {node.name: rules.attributes(node) for node, _ in rules.nodes(served)}
    spent: dict[str, list[float]] = defaultdict(list)
    work: dict[str, list[Ran]] = defaultdict(list)
    for one in (one for call in timed for one in call.ran):
        spent[one.name].append(one.microseconds)
    for one in shaped.ran:
        work[one.name].append(one)
    calls, bodies = len(timed), _bodies(served)
    return [
        _operator(work[name], len(times) / calls, own / calls, attributes.get(name, {}))
        for name, times in spent.items()
        # The trace counts what runs in a branch or a loop once more with the node that holds it.
        if name in work and (own := max(0.0, sum(times) - sum(sum(spent[n]) for n in bodies.get(name, ()))))
    ]


def _bodies(graph: GraphProto) -> dict[str, list[str]]:
    """Return by each node with graphs inside the nodes directly in them."""
    holders = [(node, [a.g for a in node.attribute if a.HasField("g")]) for node, _ in rules.nodes(graph)]
    return {node.name: [one.name for inner in graphs for one in inner.node] for node, graphs in holders if graphs}


def _operator(work: list[Ran], runs: float, microseconds: float, attributes: dict[str, object]) -> Operator:
    """Return a node with the mean of its work, which differs from turn to turn where it is in a loop."""
    macs = float(np.mean([_macs(one, attributes) for one in work]))
    moved, weights = (float(np.mean([getattr(one, key) for one in work])) for key in ("moved", "weights"))
    one = work[0]
    return Operator(
        one.name, one.operator, runs, microseconds, int(macs * runs), int(moved * runs), int(weights * runs)
    )


def _macs(one: Ran, attributes: dict[str, object]) -> int:
    takes, gives = ([shape for _, shape in side] for side in (one.takes, one.gives))
    try:
        return rules.of_node(one.operator, attributes, takes, gives)
    except (rules.Unknown, IndexError, KeyError, ValueError):
        return 0


def _shortened(nodes: list[Operator]) -> list[Operator]:
    found, rest = nodes[:LISTED], defaultdict[str, list[Operator]](list)
    for one in nodes[LISTED:]:
        rest[one.kind].append(one)
    for kind, some in rest.items():
        runs, spent = sum(one.runs for one in some), sum(one.microseconds for one in some)
        work = [sum(getattr(one, key) for one in some) for key in ("macs", "bytes", "weights")]
        found.append(Operator(f"{len(some):,} more", kind, runs, spent, *work))
    return found


def _bytes(tensor: TensorProto) -> int:
    from onnx import helper

    return int(np.prod(tensor.dims, dtype=np.int64)) * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
