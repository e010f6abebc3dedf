"""The constants that a node of an ONNX graph can see, read when they are asked for."""

import math

import numpy as np

from core.onnx.typing import GraphProto, NodeProto, TensorProto

FEW = 12
"""Different numbers of one constant that are looked at: the first and the last ones."""
SMALL, LARGE = 65_536, 4_000_000
"""Elements up to which a constant is looked through number by number, and up to which it is read at all."""
HANDED_ON = ("Identity", "Cast", "Unsqueeze", "Squeeze", "Reshape", "Neg", "Transpose")


class Constants:
    """Constants by name, those of the graphs around among them; what is made of one constant alone is one too."""

    def __init__(self, around: "Constants | None" = None, counts: tuple[int, ...] = ()) -> None:
        self._known: dict[str, TensorProto | np.ndarray] = dict(around._known) if around else {}
        self.counts: tuple[int, ...] = around.counts if around else counts
        """How many elements a sum over an input may have."""

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def add(self, graph: GraphProto) -> None:
        """Take the initializers of a graph."""
        self._known.update((tensor.name, tensor) for tensor in graph.initializer)

    def made(self, node: NodeProto) -> bool:
        """Take what a node makes of constants alone; says whether it does."""
        from onnx import helper

        if node.op_type == "Constant" and node.attribute:
            value = helper.get_attribute_value(node.attribute[0])
            self._known[node.output[0]] = value if node.attribute[0].name == "value" else np.asarray(value)
            return True
        if node.op_type not in HANDED_ON or not node.input or not all(name in self for name in node.input if name):
            return False
        array = self.array(node.input[0])
        if array is None or array.dtype.kind not in "fiub":
            return False
        turned = array.T if node.op_type == "Transpose" and array.ndim == 2 else array
        self._known[node.output[0]] = -turned if node.op_type == "Neg" and array.dtype.kind != "b" else turned
        return True

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a constant without reading it."""
        known = self._known[name]
        return known.shape if isinstance(known, np.ndarray) else tuple(known.dims)

    def array(self, name: str) -> np.ndarray | None:
        """Return the numbers or texts of a constant; None where there is none, or it is large."""
        from onnx import numpy_helper

        known = self._known.get(name)
        if known is None or isinstance(known, np.ndarray):
            return known
        return numpy_helper.to_array(known) if math.prod(known.dims) <= LARGE else None

    def few(self, name: str) -> list[float]:
        """Return the first and last different numbers of a small constant; none for text."""
        if name not in self or math.prod(self.shape(name)) > SMALL:
            return []
        array = self.array(name)
        if array is None or array.dtype.kind not in "fiub":
            return []
        numbers = np.unique(array[np.isfinite(array)].astype(np.float64)).tolist()
        return numbers if len(numbers) <= FEW else [*numbers[: FEW // 2], *numbers[-FEW // 2 :]]

    def texts(self, name: str) -> list[str]:
        """Return the texts of a small constant."""
        if name not in self or math.prod(self.shape(name)) > SMALL:
            return []
        array = self.array(name)
        if array is None or array.dtype.kind not in "OSU":
            return []
        return [text.decode(errors="replace") if isinstance(text, bytes) else str(text) for text in array.reshape(-1)]
