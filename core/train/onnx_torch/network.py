"""The torch module of an ONNX graph: trainable weights, fixed buffers, and the graph run node by node."""

import inspect
import keyword
import re
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import nn

from core.domain.errors import Refused, first_line
from core.onnx.typing import ModelProto
from core.train.onnx_torch.graph import DecodedGraph, Node
from core.train.onnx_torch.operators import OPERATORS, control
from core.train.onnx_torch.operators.control import Scope
from core.train.onnx_torch.operators.table import Results
from core.train.onnx_torch.reading import nodes_of, read
from core.train.onnx_torch.shape_arithmetic import ON_NUMBERS
from core.train.onnx_torch.values import Known, Value, as_numbers, as_tensor, can_be_known

FOLDED_ELEMENTS = 65_536
"""Elements up to which a value that hangs on constants alone is computed once."""
FREE = "Check that the graph accepts every dynamic size of its inputs (a Reshape may contain the exporter's batch size), or fix that size."
UNFOLDED = {"DequantizeLinear"}
TRAINABLE = (torch.float32, torch.float64, torch.float16, torch.bfloat16)

Answer = torch.Tensor | tuple[torch.Tensor, ...]


class Network(nn.Module):
    """Takes the graph's inputs in order and gives its outputs, one tensor or a tuple.

    ``onnx_names`` maps the names of parameters and buffers to those of the initializers that they come from.
    """

    def __init__(self, graph: DecodedGraph, weights: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.graph = graph
        self.onnx_names: dict[str, str] = {}
        self._held: dict[str, str] = {}
        self._numbers: dict[str, np.ndarray] = {}
        self._folded: dict[str, str] = {}
        trained = _trained(graph)
        for key, tensor in weights.items():
            self._keep(
                key, nn.Parameter(tensor) if key in trained and tensor.dtype in TRAINABLE and tensor.dim() else tensor
            )
        self._fold()
        self.eval()

    def forward(self, *inputs: torch.Tensor) -> Answer:
        """Run the graph."""
        scope: Scope = dict(zip((port.name for port in self.graph.inputs), inputs, strict=True))
        results = tuple(as_tensor(value) for value in self.evaluate(self.graph, scope))
        return results[0] if len(results) == 1 else results

    def evaluate(self, graph: DecodedGraph, scope: Scope) -> list[Value]:
        """Run the nodes of a graph in a scope of named values and return its outputs. Raises Refused with the node's place."""
        scope = {**self._constants(graph), **scope} if graph is self.graph else {**scope, **self._constants(graph)}
        for node in graph.nodes:
            if not all(out in scope for out in node.outputs if out):
                scope.update(self._called(node, scope))
        return [scope[name] for name in graph.outputs]

    def _called(self, node: Node, scope: Scope) -> Iterable[tuple[str, Value]]:
        try:
            if node.key in control.TABLE:
                results: Results = control.TABLE[node.key](node, scope, self.evaluate)
            else:
                results = call(node, [scope[name] if name else None for name in node.inputs])
        except Refused as refused:
            raise Refused(f"{node.place}: {refused.message}", refused.next_step) from None
        except (
            RuntimeError,
            TypeError,
            ValueError,
            IndexError,
            KeyError,
            AttributeError,
            NotImplementedError,
        ) as error:
            raise Refused(f"{node.place} does not run in torch: {first_line(error)}", FREE) from error
        results = results if isinstance(results, list | tuple) else [results]
        return zip(node.outputs, results, strict=False)

    def _constants(self, graph: DecodedGraph) -> Scope:
        keys = {**graph.constants, **(self._folded if graph is self.graph else {})}
        return {name: self._value(key) for name, key in keys.items()}

    def _value(self, key: str) -> Value:
        tensor = getattr(self, self._held[key])
        return Known(self._numbers[key], tensor.dtype, tensor) if key in self._numbers else tensor

    def _keep(self, key: str, tensor: torch.Tensor) -> None:
        name = identifier(key, lambda name: hasattr(self, name))
        self._held[key], self.onnx_names[name] = name, key
        if isinstance(tensor, nn.Parameter):
            self.register_parameter(name, tensor)
        else:
            self.register_buffer(name, tensor if tensor.numel() else _saveable(tensor))
            if can_be_known(tensor):
                self._numbers[key] = tensor.numpy().copy()

    def _fold(self) -> None:
        """Compute once, and keep as buffers, what hangs on untrained constants alone."""
        scope = {
            name: value for name, value in self._constants(self.graph).items() if not isinstance(value, nn.Parameter)
        }
        for node in self.graph.nodes:
            if node.key not in OPERATORS or node.type in UNFOLDED or not all(n in scope for n in node.inputs if n):
                continue
            with torch.no_grad():
                results = {out: as_tensor(value) for out, value in self._called(node, scope) if out}
            if all(tensor.numel() <= FOLDED_ELEMENTS for tensor in results.values()):
                for out, tensor in results.items():
                    self._keep(f"folded {out}", tensor)
                    self._folded[out] = f"folded {out}"
                    scope[out] = self._value(f"folded {out}")


def _saveable(empty: torch.Tensor) -> torch.Tensor:
    """Return a tensor without elements that torch made: torch.export.save 2.13 fails on one that lies in memory of others."""
    return empty.new_empty(empty.shape)


def build(model: ModelProto) -> Network:
    """Return the module of a ModelProto; ``forward`` names its arguments as the model names its inputs.

    Raises Refused with all unsupported operators and where they are.
    """
    graph, weights = read(model)
    names: list[str] = []
    for port in graph.inputs:
        names.append(identifier(port.name, names.__contains__))

    def forward(self: Network, *inputs: torch.Tensor, **named: torch.Tensor) -> Answer:
        return Network.forward(self, *inputs, *(named[name] for name in names[len(inputs) :]))

    parts = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("self", *names)]
    forward.__signature__ = inspect.Signature(parts)  # type: ignore[attr-defined]
    return type("Network", (Network,), {"forward": forward, "__doc__": Network.__doc__})(graph, weights)  # type: ignore[no-any-return]


def identifier(name: str, taken: Callable[[str], bool]) -> str:
    """Return a name as Python allows it, and that is not taken."""
    plain = re.sub(r"\W", "_", name, flags=re.ASCII).strip("_")[:200] or "value"
    plain = f"x_{plain}" if plain[0].isdigit() or keyword.iskeyword(plain) or plain == "self" else plain
    number, found = 2, plain
    while taken(found):
        found, number = f"{plain}_{number}", number + 1
    return found


def _trained(graph: DecodedGraph) -> set[str]:
    """Return the keys of constants that some operator multiplies, adds or looks up, other than as a fixed setting."""
    found: set[str] = set()
    for inner, node in nodes_of(graph):
        operator = OPERATORS.get(node.key)
        for place, name in enumerate(node.inputs if operator else ()):
            key = inner.constants.get(name) or graph.constants.get(name)
            if key and operator and place not in (*operator.static, *operator.frozen):
                found.add(key)
    return found


def call(node: Node, given: list[Value | None]) -> Results:
    """Run one operator: on numbers where all inputs are known and a rule for numbers can, else on tensors."""
    on_numbers = ON_NUMBERS.get(node.key)
    if on_numbers and given and all(value is None or isinstance(value, Known) for value in given):
        answer = on_numbers(node, *given)
        if answer is not None:
            return answer
    operator = OPERATORS[node.key]
    if operator.raw:
        return operator.run(node, *given)
    return operator.run(
        node,
        *(v if v is None else as_numbers(v) if p in operator.static else as_tensor(v) for p, v in enumerate(given)),
    )
