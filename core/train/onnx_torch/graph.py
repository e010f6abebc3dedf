"""An ONNX graph as plain values: nodes with decoded attributes, names of inputs and outputs, and where constants are kept."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Node:
    """One operator: type, domain and name, its inputs and outputs ("" where one is left out), attributes, and its domain's opset."""

    type: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    opset: int

    @property
    def key(self) -> tuple[str, str]:
        """Domain and type: the place in the table of operators."""
        return self.domain, self.type

    @property
    def place(self) -> str:
        """The operator as people find it in their file: type and name, or the value that it makes."""
        return f"{self.type} {self.name or next((out for out in self.outputs if out), '')!r}"

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or its default."""
        return self.attributes.get(name, default)


@dataclass(frozen=True)
class Port:
    """One input of the model: name, torch dtype, and shape with numbers, symbols or None; None for an unknown rank."""

    name: str
    dtype: Any
    shape: tuple[int | str | None, ...] | None


@dataclass(frozen=True)
class DecodedGraph:
    """Nodes in order; ``constants`` maps the graph's own names to keys of the model's weights."""

    inputs: tuple[Port, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: dict[str, str] = field(default_factory=dict)
