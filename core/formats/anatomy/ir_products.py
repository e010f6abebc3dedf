"""Finds what OpenVINO multiplies in integers, from the structure of an IR and the ends of its constants; nothing is run.

The engine lowers a whole model as soon as one FakeQuantize in it has the levels of an 8-bit or 4-bit number, and leaves
it in floats where there is none. Measured with OpenVINO 2026.4.1 on its kernels for AVX512-VNNI, AVX512, AVX2 and SSE4:
int8 weights saturate without VNNI, whatever the sign of the activations, unless they stay within seven bits; uint8
weights were exact, and a convolution of int8 inputs that no FakeQuantize made was wrong by up to two steps even then.
"""

from collections.abc import Iterator, Mapping
from typing import BinaryIO

from core.domain.artifact import TensorSpec
from core.domain.integer_products import Product
from core.formats.anatomy.ir import Body, Constant, IrLayer, constants

LEVELS = (15, 16, 255, 256)
"""The numbers of levels at which OpenVINO goes over to integers."""
MULTIPLYING = ("MatMul", "Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData")
PASSING = {
    *("Convert", "Multiply", "Subtract", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Concat", "Split"),
    *(
        "VariadicSplit",
        "MaxPool",
        "AvgPool",
        "ReLU",
        "Relu",
        "PReLU",
        "Clamp",
        "Pad",
        "Slice",
        "StridedSlice",
        "Gather",
    ),
    *("Interpolate", "ShuffleChannels", "DepthToSpace", "SpaceToDepth", "Tile", "Broadcast", "ReduceMax", "ReduceMean"),
}
"""What integers can pass on their way to a product."""
CONSTANT = ("Const", "Constant")
FAR = 256
FEW = 4096
MOST = 1 << 28
"""Bytes of weights that are looked at in one file, at most."""
WHOLE = ("int8", "uint8", "int4", "uint4")
"""Types of weights; the largest constant behind a product holds them, the others their zero points and scales."""
SMALL = 15
"""The largest magnitude in four bits."""
READ = {"int8": "i1", "float32": "<f4", "float16": "<f2"}
Ends = Mapping[Constant, tuple[float, float]]
"""The least and the largest number of constants."""


def ends(stream: BinaryIO, found: list[Body]) -> Ends:
    """Return the ends of the int8 weights and of the small constants of a quantized model, read in the order of their bytes."""
    import numpy as np

    if not any(_levels(layer) in LEVELS for body in found for layer in body.layers.values()):
        return {}
    wanted = [c for c in constants(found) if c.dtype in READ and 0 < c.size <= (MOST if c.dtype == "int8" else FEW)]
    told: dict[Constant, tuple[float, float]] = {}
    for constant in sorted(wanted, key=lambda c: c.offset):
        stream.seek(constant.offset)
        array = np.frombuffer(stream.read(constant.size), READ[constant.dtype])
        told[constant] = float(array.min()), float(array.max())
    return told


def products(found: list[Body], told: Ends) -> Iterator[Product]:
    """Yield the integer products of a model; none where nothing in it makes the engine go over to integers."""
    if not any(_levels(layer) in LEVELS for body in found for layer in body.layers.values()):
        return
    for body in found:
        graph = _Graph(body, told)
        for layer in body.layers.values():
            if layer.type in MULTIPLYING and len(graph.takes(layer)) > 1:
                yield from graph.product(layer)


def _levels(layer: IrLayer) -> int:
    text = layer.data.get("levels", "")
    return int(text) if layer.type == "FakeQuantize" and text.isdigit() else 0


class _Graph:
    """One body with its edges the other way round."""

    def __init__(self, body: Body, told: Ends) -> None:
        self._body, self._told = body, told
        places = [layer.id for layer in body.layers.values() if layer.type in CONSTANT]
        self._held = dict(zip(places, constants([body]), strict=True))
        self._sources: dict[str, list[tuple[int, str]]] = {}
        for source, _, target, port in body.edges:
            self._sources.setdefault(target, []).append((int(port) if port.isdigit() else 0, source))

    def takes(self, layer: IrLayer) -> list[IrLayer]:
        """Return the layers that a layer reads, by the place of its inputs."""
        return [self._body.layers[source] for _, source in sorted(self._sources.get(layer.id, []))]

    def product(self, layer: IrLayer) -> Iterator[Product]:
        """Yield the product of a layer if both sides of it come from integers."""
        first, second = (self._ends(one) for one in self.takes(layer)[:2])
        activations = self._activations(first)
        weights = self._weights(second)
        if activations is None or weights is None:
            return
        kind, top = weights
        direct = not any(_levels(end) in LEVELS for end in first)
        if direct and activations == "int8" and layer.type != "MatMul":
            top = None
        yield Product(f"OpenVINO {layer.type}", activations, kind, top, layer.name[:60])

    def _ends(self, layer: IrLayer) -> list[IrLayer]:
        """Return where the numbers of a layer come from, behind all that only hands them on."""
        found, waiting = [], [layer]
        for _ in range(FAR):
            if not waiting:
                break
            here = waiting.pop()
            if here.type in PASSING:
                waiting += self.takes(here)
            else:
                found.append(here)
        return found

    def _activations(self, found: list[IrLayer]) -> str | None:
        """Return the type of integers that some numbers have, empty where it cannot be told; None where they are floats."""
        for end in found:
            if _levels(end) in LEVELS:
                low = self._least(self.takes(end)[3:4])
                return "" if low is None else "int8" if low < 0 else "uint8"
            if end.type == "Parameter" and _output(end).dtype in ("int8", "uint8"):
                return _output(end).dtype
        return None

    def _weights(self, found: list[IrLayer]) -> tuple[str, int | None] | None:
        """Return the type of weights with their largest magnitude; None where they are floats."""
        held = [constant for end in found if (constant := self._constant(end))]
        whole = sorted((one for one in held if one.dtype in WHOLE), key=lambda one: one.size)
        if whole:
            kind, told = whole[-1].dtype, self._told.get(whole[-1])
            small = kind.endswith("4")
            return "int8" if small else kind, SMALL if small else int(max(-told[0], told[1])) if told else None
        for end in found:
            if _levels(end) in LEVELS:
                fixed = any(self._constant(one) for one in self._ends(self.takes(end)[0]))
                return "int8", _levels(end) // 2 if fixed else None
            if end.type == "Parameter" and _output(end).dtype in ("int8", "uint8"):
                return "int8", None
        return None

    def _least(self, layers: list[IrLayer]) -> float | None:
        """Return the least number of the constant among some layers; None where there is none, or it was not read."""
        held = [constant for layer in layers if (constant := self._constant(layer))]
        return min((self._told[constant][0] for constant in held if constant in self._told), default=None)

    def _constant(self, layer: IrLayer) -> Constant | None:
        return self._held.get(layer.id)


def _output(layer: IrLayer) -> TensorSpec:
    return next(iter(layer.ports.values()), TensorSpec(layer.name, "", None))
