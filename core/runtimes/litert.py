"""LiteRT on the CPU: the reference for .tflite files."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.domain.artifact import Signature, TensorSpec
from core.domain.errors import Refused, first_line
from core.domain.runtime import UNKNOWN_INTEGER, Domain, Runtime, Session

if TYPE_CHECKING:
    from ai_edge_litert.interpreter import Interpreter

    from core.formats.anatomy.tflite import TfliteGraph

BYTES = {"int8": Domain("ids", bound=128, low=-128), "uint8": Domain("ids", bound=256)}
"""Quantized inputs take the whole range of their type."""
PASSING = {"CAST", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "SLICE", "STRIDED_SLICE", "BROADCAST_TO"}
TABLES = {"GATHER": (0, 1), "EMBEDDING_LOOKUP": (1, 0)}
"""Which argument of a lookup is the table and which the ids."""


class LiteRtRuntime(Runtime):
    """Runs on one thread with LiteRT's own kernels and forgets its state before each call."""

    title = "LiteRT"
    sentence = "Runs .tflite files on the CPU, with the batch size that the file declares; a file for one sample is called once per sample."
    formats = ("litert",)
    packages = ("numpy", "ai-edge-litert")
    kind = "light"

    def open(self, path: Path, format: str) -> Session:
        """Read the tables and prepare the interpreter. Raises Refused with its reason when it cannot."""
        from core.formats.anatomy import tflite

        graph = tflite.read(path).graphs[0]
        return LiteRtSession(_interpreter(path), graph)


class LiteRtSession(Session):
    """An interpreter that is resized to each batch where the file's first dimension is free."""

    def __init__(self, interpreter: "Interpreter", graph: "TfliteGraph") -> None:
        from core.formats.anatomy import tflite

        self._interpreter = interpreter
        self.signature = Signature(*tflite.signature(graph))
        bounds = _id_bounds(graph)
        self.domains = {
            spec.name: _domain(spec, bounds.get(place))
            for spec, place in zip(self.signature.inputs, graph.inputs, strict=True)
        }
        specs = (*self.signature.inputs, *self.signature.outputs)
        self._one_by_one = bool(specs) and all(spec.shape and spec.shape[0] == 1 for spec in specs)
        self._inputs = [detail["index"] for detail in interpreter.get_input_details()]
        self._outputs = [detail["index"] for detail in interpreter.get_output_details()]

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Invoke the interpreter once, or once for each sample where the file is fixed to one."""
        rows = {len(array) for array in inputs.values() if array.ndim}
        if not self._one_by_one or rows == {1}:
            return self._invoke(inputs)
        parts = [self._invoke({name: array[n : n + 1] for name, array in inputs.items()}) for n in range(max(rows))]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _invoke(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Resize, fill and invoke the interpreter once."""
        arrays = [inputs[spec.name] for spec in self.signature.inputs]
        shapes = [tuple(d["shape"]) for d in self._interpreter.get_input_details()]
        if shapes != [array.shape for array in arrays]:
            for index, array in zip(self._inputs, arrays, strict=True):
                self._interpreter.resize_tensor_input(index, array.shape, strict=True)
        self._interpreter.allocate_tensors()
        self._interpreter.reset_all_variables()
        for index, array in zip(self._inputs, arrays, strict=True):
            self._interpreter.set_tensor(index, array)
        self._interpreter.invoke()
        names = [spec.name for spec in self.signature.outputs]
        return {n: np.array(self._interpreter.get_tensor(i)) for n, i in zip(names, self._outputs, strict=True)}


def _interpreter(path: Path) -> "Interpreter":
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        made = Interpreter(model_path=str(path), num_threads=1, experimental_op_resolver_type=kernels)
        made.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        cause = first_line(error)[:300]
        raise Refused(f"LiteRT cannot load this file: {cause}", "Convert the model again from its source.") from None
    return made


def _domain(spec: TensorSpec, bound: int | None) -> Domain:
    if bound:
        return Domain("ids", bound=bound)
    return Domain() if "float" in spec.dtype else BYTES.get(spec.dtype, UNKNOWN_INTEGER)


def _id_bounds(graph: "TfliteGraph") -> dict[int, int]:
    """Return, by the tensor of each input that looks rows up in a table, the rows of the smallest such table."""
    origin = {place: place for place in graph.inputs}
    bounds: dict[int, int] = {}
    for operator in graph.operators:
        table, ids = TABLES.get(operator.type, (0, 0))
        if operator.type in TABLES and graph.tensors[operator.takes[table]].length:
            rows = (graph.tensors[operator.takes[table]].spec.shape or (0,))[0]
            place = origin.get(operator.takes[ids])
            if place is not None and isinstance(rows, int):
                bounds[place] = min(bounds.get(place, rows), rows)
        elif operator.type in PASSING and operator.takes and operator.takes[0] in origin:
            origin.update(dict.fromkeys(operator.gives, origin[operator.takes[0]]))
    return bounds


RUNTIME = LiteRtRuntime()
