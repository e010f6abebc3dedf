"""A graph of ONNX operators in float64 on its way: values are columns of tables [batch, width], and equal nodes are made once."""

import itertools
from typing import Any

import numpy as np

DOUBLE, FLOAT, INT64 = 11, 1, 7
"""ONNX's numbers of element types."""


class Graph:
    """Nodes and constants so far, and where the value of each name stands: in which table, at which column."""

    def __init__(self, inputs: list[str]) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[Any, Any] = {}
        self._taken = set(inputs)
        self._made: dict[Any, str] = {}
        self._places: dict[str, tuple[str, int]] = {}
        self._widths: dict[str, int] = {}

    def free(self, wanted: str) -> str:
        """Return a name that no value of the graph has yet."""
        names = itertools.chain((wanted,), (f"{wanted}_{n}" for n in itertools.count(1)))
        name = next(n for n in names if n not in self._taken)
        self._taken.add(name)
        return name

    def add(self, kind: str, *inputs: str, out: str = "", domain: str = "", **attributes: Any) -> str:
        """Add an operator unless there is the same already, and return the name of its answer."""
        from onnx import helper

        key = (kind, inputs, out, len(self.nodes) if domain else str(sorted(attributes.items())))
        if key not in self._made:
            self._made[key] = out or self.free(f"{kind.lower()}_{len(self.nodes)}")
            label = f"{kind}_{len(self.nodes)}"
            self.nodes.append(
                helper.make_node(kind, list(inputs), [self._made[key]], name=label, domain=domain, **attributes)
            )
        return self._made[key]

    def constant(self, values: Any, dtype: Any = np.float64) -> str:
        """Add a constant unless there is the same already, and return its name."""
        from onnx import numpy_helper

        array = np.asarray(values, dtype)
        key = (str(array.dtype), array.shape, str(array.tolist()) if dtype is object else array.tobytes())
        if key not in self.constants:
            name = self.free(f"constant_{len(self.constants)}")
            self.constants[key] = numpy_helper.from_array(array, name)
        return str(self.constants[key].name)

    def tensors(self, arrays: dict[str, Any]) -> dict[str, Any]:
        """Return arrays as attributes."""
        from onnx import numpy_helper

        return {name: numpy_helper.from_array(array, name) for name, array in arrays.items()}

    def cast(self, name: str, kind: int) -> str:
        """Change the element type."""
        return self.add("Cast", name, to=kind)

    def sum(self, name: str, axis: int) -> str:
        """Add up along an axis, which goes."""
        return self.add("ReduceSum", name, self.constant([axis], np.int64), keepdims=0)

    def spread(self, name: str, axis: int) -> str:
        """Insert an axis of length one."""
        return self.add("Unsqueeze", name, self.constant([axis], np.int64))

    def rounded(self, name: str) -> str:
        """Round to float32, and go on in float64."""
        return self.cast(self.cast(name, FLOAT), DOUBLE)

    def place(self, names: tuple[str, ...], table: str) -> None:
        """Say that the columns of a table are the values of these names."""
        self._places |= {name: (table, column) for column, name in enumerate(names)}
        self._widths[table] = len(names)

    def table(self, names: tuple[str, ...]) -> str:
        """Return the values of names side by side: [batch, names]."""
        tables = tuple(dict.fromkeys(self._places[name][0] for name in names))
        starts = dict(zip(tables, itertools.accumulate((self._widths[t] for t in tables), initial=0), strict=False))
        whole = tables[0] if len(tables) == 1 else self.add("Concat", *tables, axis=1)
        columns = [starts[table] + column for table, column in (self._places[name] for name in names)]
        if columns == list(range(sum(self._widths[t] for t in tables))):
            return whole
        return self.add("Gather", whole, self.constant(columns, np.int64), axis=1)

    def nothing(self) -> str:
        """Return one zero per row [batch, 1], whatever the row holds."""
        table = next(iter(self._widths))
        first = self.add("Gather", table, self.constant([0], np.int64), axis=1)
        return self.add("Mul", self.cast(self.add("IsNaN", first), DOUBLE), self.constant(0.0))
