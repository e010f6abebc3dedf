"""What is known of the axes of every value while the graph of an ONNX model is walked."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from core.onnx.typing import IntArray, NodeProto
from core.shrink.channels.couplings import Axis, Couplings, Value, live, still

Place = tuple[str, int]
"""A constant and one of its axes."""


@dataclass
class Trace:
    """What is known while the graph is walked."""

    shapes: dict[str, tuple[int, ...]]
    batch: int
    """Samples that the shapes are for."""

    integers: dict[str, IntArray]
    """Constant integers, by name."""

    inner: frozenset[str]
    """Outputs of reshapes that keep the inner part of an axis that they split."""

    couplings: Couplings = field(default_factory=Couplings)
    values: dict[str, Value] = field(default_factory=dict)
    sizes: dict[str, list[Axis | int]] = field(default_factory=dict)
    """Vectors of sizes that the model computes: each entry the axis that it is the size of, or a number."""

    constants: dict[str, Value] = field(default_factory=dict)
    read: list[Place] = field(default_factory=list)
    """Axes of constants over which a node sums."""

    resized: list[tuple[str, int, list[Axis]]] = field(default_factory=list)
    """Constant shapes to be changed with what is cut: the reader's first output, the input's place, the axes that it names."""

    grouped: list[tuple[str, Axis]] = field(default_factory=list)
    """Depthwise convolutions by their output, with their channels."""

    splits: list[tuple[str, list[IntArray]]] = field(default_factory=list)
    unknown: dict[str, list[IntArray]] = field(default_factory=dict)
    """Operators that fixed what they read, with the ids."""

    def axes(self, name: str) -> Value:
        """Return the axes of a value; those of one that is not known are of no length."""
        return self.values.get(name, still(self.shapes.get(name, ())))

    def give_up(self, node: NodeProto, names: Iterable[str]) -> None:
        """Fix all that a node reads."""
        for name in names:
            axes = [*self.axes(name), *(entry for entry in self.sizes.get(name, []) if isinstance(entry, tuple))]
            self.couplings.fix(*axes)
            ids = [factor for axis in axes for factor in axis if live((factor,))]
            self.unknown.setdefault(node.op_type, []).extend(ids)
