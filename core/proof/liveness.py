"""How much memory the values between the nodes of a graph need at least: all that is still to be read, node after node."""

from collections import Counter
from collections.abc import Mapping, Sequence

from core.domain.operators import Activations
from core.onnx.typing import GraphProto

VIEWS = frozenset(("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"))
"""Operators whose answer is the same memory under another shape."""
IN_PLACE = VIEWS | frozenset(
    (
        "Abs", "Add", "Cast", "Clip", "Div", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Log",
        "Mul", "Neg", "QuickGelu", "Relu", "Sigmoid", "Softmax", "Sqrt", "Sub", "Tanh",
    )
)  # fmt: skip
"""Operators that may write over what they read last."""


def least(graph: GraphProto, order: Sequence[str], sizes: Mapping[str, Sequence[int]]) -> Activations:
    """Return the most bytes that live at once; ``order`` names the nodes as they ran, ``sizes`` has the bytes that each gives.

    Inputs and answers of the model are its caller's, bodies of branches and loops count as the one node that holds them.
    """
    nodes = {node.name: node for node in graph.node}
    ran = [nodes[name] for name in dict.fromkeys(order) if name in nodes]
    readers = Counter(name for node in ran for name in node.input)
    answers = {value.name for value in graph.output}
    alive: dict[str, int] = {}
    root: dict[str, str] = {}
    most = Activations(0, "")
    for node in ran:
        takes = [root.get(name, name) for name in node.input]
        gives = [name for name in node.output if name]
        readers.subtract(takes)
        if node.op_type in VIEWS and takes[0] in alive and gives[0] not in answers:
            root[gives[0]] = takes[0]
            readers[takes[0]] += readers[gives[0]]
            continue
        dying = [name for name in dict.fromkeys(takes) if name in alive and readers[name] <= 0]
        fresh = dict(zip(gives, sizes.get(node.name, ()), strict=False))
        own = {name: size for name, size in fresh.items() if name not in answers}
        reused = max((alive[name] for name in dying), default=0) if node.op_type in IN_PLACE else 0
        if (needed := sum(alive.values()) + max(0, sum(own.values()) - reused)) > most.bytes:
            most = Activations(needed, node.name)
        for name in dying:
            del alive[name]
        alive |= {name: size for name, size in own.items() if readers[name] > 0}
    return most
