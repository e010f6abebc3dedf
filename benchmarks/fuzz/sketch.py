"""An ONNX graph while it is drawn: its values with their types and shapes, and the constants that they meet."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

TYPES = {
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "float16": TensorProto.FLOAT16,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "int16": TensorProto.INT16,
    "uint8": TensorProto.UINT8,
    "int8": TensorProto.INT8,
    "bool": TensorProto.BOOL,
}
Dim = int | str
Shape = tuple[Dim, ...]


@dataclass(frozen=True)
class Value:
    """A tensor of the graph; a dimension is a number, or the name of a free one (``N`` samples, ``T`` steps)."""

    name: str
    dtype: str
    shape: Shape

    @property
    def floats(self) -> bool:
        """Whether it holds numbers with a fraction."""
        return self.dtype.startswith("float")

    @property
    def integers(self) -> bool:
        """Whether it holds whole numbers."""
        return "int" in self.dtype

    @property
    def size(self) -> int:
        """Numbers in one sample, counting a free dimension as eight."""
        return int(np.prod([8 if isinstance(n, str) else n for n in self.shape[1:]]))


@dataclass
class Sketch:
    """Nodes and constants so far; ``hints`` are numbers at which something may happen."""

    rng: np.random.Generator
    opset: int
    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)
    hints: list[float] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    count: int = 0

    def name(self) -> str:
        """Return a name that is new."""
        self.count += 1
        return f"v{self.count}"

    def constant(self, values: object, dtype: str) -> str:
        """Add a constant and return its name."""
        name, array = self.name(), np.asarray(values, dtype)
        self.constants.append(numpy_helper.from_array(array, name))
        if array.size and array.size <= 8 and array.dtype.kind in "fiu":
            self.hints += [float(n) for n in array.reshape(-1) if np.isfinite(n) and abs(n) < 1e6]
        return name

    def node(self, kind: str, inputs: list[str], shape: Shape, dtype: str, **given: Any) -> Value:
        """Add an operator with one result and return that."""
        (value,) = self.several(kind, inputs, [(shape, dtype)], **given)
        return value

    def several(self, kind: str, inputs: list[str], results: list[tuple[Shape, str]], **given: Any) -> list[Value]:
        """Add an operator and return its results."""
        values = [Value(self.name(), dtype, shape) for shape, dtype in results]
        self.nodes.append(helper.make_node(kind, inputs, [value.name for value in values], **given))
        self.used.update(inputs)
        return values

    def like(self, kind: str, x: Value, *more: str, **given: Any) -> Value:
        """Add an operator whose result is as its first operand."""
        return self.node(kind, [x.name, *more], x.shape, x.dtype, **given)

    def cast(self, x: Value, dtype: str) -> Value:
        """Return a value in another type."""
        return x if x.dtype == dtype else self.node("Cast", [x.name], x.shape, dtype, to=TYPES[dtype])

    def pick(self, *choices: Any) -> Any:
        """Return one of the choices."""
        return choices[int(self.rng.integers(len(choices)))]

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from low to high, both included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, share: float) -> bool:
        """Return yes in this share of cases."""
        return bool(self.rng.random() < share)

    def number(self) -> float:
        """Return a constant as people write them, often a multiple of an eighth."""
        kind = self.whole(0, 3)
        if kind == 0:
            return float(self.rng.integers(-16, 17)) / 8
        if kind == 1:
            return float(self.rng.integers(-5, 6))
        return float(np.float32(self.rng.standard_normal() * (1 if kind == 2 else 20)))

    def weights(self, *shape: int) -> np.ndarray:
        """Return weights of an ordinary scale, float32."""
        fan = max(1, int(np.prod(shape[1:])))
        return np.asarray(self.rng.standard_normal(shape) / np.sqrt(fan), np.float32)
