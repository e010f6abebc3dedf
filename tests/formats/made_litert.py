"""LiteRT files written table by table with LiteRT's own schema: no TensorFlow is needed for a small real model."""

from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TYPES = {"float32": 0, "int32": 2, "uint8": 3, "int64": 4, "int8": 9}
BUILTIN = schema.BuiltinOperator


@dataclass
class Maker:
    """Adds tensors and operators to one graph, and packs the file."""

    description: str = "made in a test"
    tensors: list[Any] = field(default_factory=list)
    buffers: list[Any] = field(default_factory=lambda: [schema.BufferT()])
    codes: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)

    def tensor(self, name: str, dtype: str, shape: list[int], free: bool = False, scale: float = 0.0) -> int:
        """Add a tensor without bytes; ``free`` marks its first dimension as free; ``scale`` quantizes it around zero."""
        made = schema.TensorT()
        made.name, made.type, made.shape, made.buffer = name, TYPES[dtype], shape, 0
        made.shapeSignature = [-1, *shape[1:]] if free else None
        if scale:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [scale], [0]
        self.tensors.append(made)
        return len(self.tensors) - 1

    def weight(self, name: str, value: Any, scale: float = 0.0) -> int:
        """Add a tensor with bytes."""
        place = self.tensor(name, str(value.dtype), list(value.shape), scale=scale)
        self.buffers.append(schema.BufferT())
        self.buffers[-1].data = np.frombuffer(value.tobytes(), np.uint8)
        self.tensors[place].buffer = len(self.buffers) - 1
        return place

    def operator(self, code: int, takes: list[int], gives: list[int], options: Any = None, custom: str = "") -> None:
        """Add an operator; ``options`` is a table of the schema, or None."""
        made = schema.OperatorCodeT()
        made.builtinCode, made.deprecatedBuiltinCode, made.version = code, min(code, 127), 1
        made.customCode = custom or None
        self.codes.append(made)
        call = schema.OperatorT()
        call.opcodeIndex, call.inputs, call.outputs = len(self.codes) - 1, takes, gives
        if options is not None:
            call.builtinOptions = options
            call.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self.operators.append(call)

    def packed(self, inputs: list[int], outputs: list[int]) -> bytes:
        """Return the bytes of the file."""
        graph, model = schema.SubGraphT(), schema.ModelT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = self.tensors, self.operators, inputs, outputs
        model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, self.codes, [graph], self.buffers
        model.description = self.description
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def dense(free: bool = True, batch: int = 1) -> bytes:
    """Four numbers to three probabilities: 15 weights."""
    rng, made = np.random.default_rng(0), Maker()
    x = made.tensor("x", "float32", [batch, 4], free)
    w = made.weight("w", rng.normal(size=(3, 4)).astype(np.float32))
    b = made.weight("b", rng.normal(size=3).astype(np.float32))
    h, y = made.tensor("h", "float32", [batch, 3], free), made.tensor("y", "float32", [batch, 3], free)
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    made.operator(BUILTIN.FULLY_CONNECTED, [x, w, b], [h], schema.FullyConnectedOptionsT())
    made.operator(BUILTIN.SOFTMAX, [h], [y], softmax)
    return made.packed([x], [y])


def quantized() -> bytes:
    """Four 8-bit numbers to three, by 8-bit weights."""
    rng, made = np.random.default_rng(0), Maker()
    x = made.tensor("x", "int8", [1, 4], True, 0.05)
    w = made.weight("w", rng.integers(-100, 100, (3, 4)).astype(np.int8), 0.02)
    b = made.weight("b", np.array([10, -20, 30], np.int32), 0.001)
    y = made.tensor("y", "int8", [1, 3], True, 0.1)
    made.operator(BUILTIN.FULLY_CONNECTED, [x, w, b], [y], schema.FullyConnectedOptionsT())
    return made.packed([x], [y])


def custom(*names: str) -> bytes:
    """A chain of custom operators."""
    made = Maker()
    places = [made.tensor(f"t{n}", "float32", [1, 4]) for n in range(len(names) + 1)]
    for place, name in enumerate(names):
        made.operator(BUILTIN.CUSTOM, [place], [place + 1], custom=name)
    return made.packed([0], [places[-1]])
