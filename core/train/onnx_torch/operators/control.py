"""Operators with graphs inside: If, and Loop and Scan whose number of rounds is known."""

from collections.abc import Callable

import torch

from core.domain.errors import Refused
from core.train.onnx_torch.graph import DecodedGraph, Node
from core.train.onnx_torch.operators.table import Key
from core.train.onnx_torch.values import Known, Value, as_tensor, is_traced

Scope = dict[str, Value]
Evaluate = Callable[[DecodedGraph, Scope], list[Value]]
MAX_ROUNDS = 2048
NEXT = "Export the model with a fixed number of iterations."


def branch(node: Node, scope: Scope, evaluate: Evaluate) -> list[Value]:
    """Take one of two branches: now if the condition is known, else by ``torch.cond``."""
    condition = scope[node.inputs[0]]
    then, other = node.get("then_branch"), node.get("else_branch")
    if isinstance(condition, Known):
        return evaluate(then if bool(condition.array.reshape(-1)[0]) else other, scope)
    if torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        raise Refused("a trace cannot hold a branch that depends on the data", "Choose PyTorch (.pt2) instead.")
    if not torch.compiler.is_exporting():
        return evaluate(then if bool(condition) else other, scope)
    return _both(condition, then, other, scope, evaluate)


def _both(
    condition: torch.Tensor, then: DecodedGraph, other: DecodedGraph, scope: Scope, evaluate: Evaluate
) -> list[Value]:
    """Keep both branches in the exported program; the tensors that they read are handed in."""
    names = [name for name, value in scope.items() if isinstance(value, torch.Tensor) and name in _read_by(then, other)]

    def taken(graph: DecodedGraph) -> Callable[..., tuple[torch.Tensor, ...]]:
        def run(*tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
            inner = {**scope, **dict(zip(names, tensors, strict=True))}
            return tuple(as_tensor(value).clone() for value in evaluate(graph, inner))

        return run

    operands = tuple(scope[name] for name in names)
    return list(torch.cond(condition.reshape(()), taken(then), taken(other), operands))


def _read_by(*graphs: DecodedGraph) -> set[str]:
    found: set[str] = set()
    for graph in graphs:
        found |= set(graph.outputs)
        for node in graph.nodes:
            found |= set(node.inputs)
            found |= _read_by(*(value for value in node.attributes.values() if isinstance(value, DecodedGraph)))
    return found


def loop(node: Node, scope: Scope, evaluate: Evaluate) -> list[Value]:
    """Unroll a loop whose rounds and condition are known; stacks what each round gives."""
    body: DecodedGraph = node.get("body")
    limit, condition = (scope[name] if name else None for name in node.inputs[:2])
    carried = [scope[name] for name in node.inputs[2:]]
    rounds = _known(limit, MAX_ROUNDS)
    going = bool(_known(condition, 1))
    kept = len(carried)
    collected: list[list[Value]] = []
    for step in range(int(rounds)):
        if not going:
            break
        fed = [Known(step, torch.int64), Known(True, torch.bool), *carried]
        again, *results = evaluate(body, {**scope, **_bound(body, fed)})
        carried, given = results[:kept], results[kept:]
        collected.append(given)
        going = bool(_known(again, 1))
        if step + 1 == MAX_ROUNDS:
            raise Refused(f"it runs for more than {MAX_ROUNDS} iterations", NEXT)
    if not collected and len(body.outputs) - 1 > kept:
        raise Refused("it collects the results of zero iterations", NEXT)
    return [*carried, *(torch.stack([as_tensor(v) for v in column]) for column in zip(*collected, strict=True))]


def _known(value: Value | None, default: int) -> int:
    """Return a number that is known while the graph is traced. Raises Refused for one that depends on the data."""
    if value is None:
        return default
    if isinstance(value, Known) and value.array.dtype != object:
        return int(value.array.reshape(-1)[0].item())
    if isinstance(value, torch.Tensor) and not is_traced():
        return int(value.reshape(-1)[0].item())
    raise Refused("the number of its iterations depends on the data or on a dynamic size", NEXT)


def scan(node: Node, scope: Scope, evaluate: Evaluate) -> list[Value]:
    """Unroll over the slices of the scanned inputs (opset 9 and later), whose number must be fixed."""
    body: DecodedGraph = node.get("body")
    count = node.get("num_scan_inputs")
    given = [as_tensor(scope[name]) for name in node.inputs if name]
    states: list[Value] = [*given[: len(given) - count]]
    scanned = given[len(given) - count :]
    axes = node.get("scan_input_axes") or [0] * count
    back = node.get("scan_input_directions") or [0] * count
    if node.opset < 9 or not isinstance(scanned[0].shape[axes[0]], int):
        raise Refused("it runs over a dynamic number of slices, or has the form of opset 8", NEXT)
    slices = [x.flip(a).unbind(a) if b else x.unbind(a) for x, a, b in zip(scanned, axes, back, strict=True)]
    collected = []
    for parts in zip(*slices, strict=True):
        results = evaluate(body, {**scope, **_bound(body, [*states, *parts])})
        states, out = results[: len(states)], results[len(states) :]
        collected.append([as_tensor(v) for v in out])
    return [*states, *_stacked(node, list(zip(*collected, strict=True)))]


def _stacked(node: Node, columns: list[tuple[torch.Tensor, ...]]) -> list[torch.Tensor]:
    axes = node.get("scan_output_axes") or [0] * len(columns)
    back = node.get("scan_output_directions") or [0] * len(columns)
    return [
        torch.stack(list(column)[::-1] if b else list(column), dim=a)
        for column, a, b in zip(columns, axes, back, strict=True)
    ]


def _bound(body: DecodedGraph, values: list[Value]) -> Scope:
    return {port.name: value for port, value in zip(body.inputs, values, strict=True)}


TABLE: dict[Key, Callable[[Node, Scope, Evaluate], list[Value]]] = {
    ("", "If"): branch,
    ("", "Loop"): loop,
    ("", "Scan"): scan,
}
