"""The XML of an OpenVINO IR: parsed without entities, walked with all its bodies, and checked against its weights file.

Layout: the operation sets and the IR v11 of OpenVINO's documentation. A layer of a set that is not OpenVINO's own needs a
library beside the model, which is code.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from core.border import archives
from core.domain.artifact import Dim, TensorSpec
from core.domain.errors import Refused, first_line
from core.formats.anatomy.elements import bits

if TYPE_CHECKING:
    from lxml import etree

MAX_XML = 48 << 20
MAX_LAYERS = 200_000
MAX_RANK = 64
SETS = re.compile(r"opset([1-9]|1[0-6])")
VERSIONS = ("10", "11")
NUMBER = re.compile(r"\d{1,15}")
NAMES = {
    "f64": "float64", "f32": "float32", "f16": "float16", "bf16": "bfloat16", "i64": "int64", "i32": "int32",
    "i16": "int16", "i8": "int8", "i4": "int4", "u64": "uint64", "u32": "uint32", "u16": "uint16", "u8": "uint8",
    "u6": "uint6", "u4": "uint4", "u3": "uint3", "u2": "uint2", "u1": "uint1", "boolean": "bool",
    "f8e4m3": "float8e4m3fn", "f8e5m2": "float8e5m2", "f8e8m0": "float8e8m0", "f4e2m1": "float4e2m1", "nf4": "nf4",
    "string": "str",
}  # fmt: skip
"""Element type to NumPy name."""
PORTS = {"FP64": "f64", "FP32": "f32", "FP16": "f16", "BF16": "bf16", "BOOL": "boolean", "STRING": "string"}
CUTS = ("Minimum", "Maximum", "Clamp")
ROUNDED = {**dict.fromkeys((15, 16, 17), "int4"), **dict.fromkeys((255, 256, 257), "int8")}
"""Levels of a FakeQuantize to the integers that have so many, one more included: a cut before it leaves that unused."""
AGAIN = "Convert the model again from its source."
BOTH = "Zip the model's .xml and .bin together, and nothing else."


@dataclass(frozen=True)
class IrLayer:
    """One operator: its set and type, its own attributes, and the name, type and shape of each output port."""

    id: str
    name: str
    type: str
    version: str
    data: dict[str, str]
    ports: dict[str, TensorSpec] = field(default_factory=dict)


@dataclass(frozen=True)
class Body:
    """The graph of the model or of one loop or branch: layers by id, and edges (layer, port, layer, port)."""

    layers: dict[str, IrLayer]
    edges: list[tuple[str, str, str, str]]


@dataclass(frozen=True)
class Constant:
    """One weight and its place in the weights file, in bytes."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int


def halves(members: tuple[str, ...]) -> tuple[str, str]:
    """Return the .xml and the .bin of a zip. Raises Refused when there is more, or less, than the two."""
    plain = archives.flat(members)
    found = {name.lower().rpartition(".")[2]: member for member, name in plain.items()}
    if len(plain) != 2 or set(found) != {"xml", "bin"}:
        inside = ", ".join(sorted(plain.values()))[:200] or "nothing"
        raise Refused(f"An OpenVINO model is one .xml and one .bin; this zip contains: {inside}.", BOTH)
    return found["xml"], found["bin"]


def parse(data: bytes) -> "etree._Element":
    """Return the root of the XML. Raises Refused for what OpenVINO never writes: declarations, comments, another encoding."""
    from lxml import etree

    if b"<!" in data or b"\0" in data or data.count(b"<?") > 1:
        raise Refused("The .xml contains a declaration or a comment, which OpenVINO never writes.", AGAIN)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, encoding="utf-8")
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Refused(f"The .xml is broken: {first_line(error)[:120]}.", AGAIN) from None
    if root.tag != "net" or root.get("version") not in VERSIONS:
        raise Refused(
            f"The .xml is not an OpenVINO model of version 10 or 11 (it is {str(root.tag)[:40]!r}, version {str(root.get('version'))[:10]}).",
            "Convert the model with OpenVINO 2021 or newer.",
        )
    return root


def entries(root: "etree._Element") -> dict[str, str]:
    """Return the entries of the file that the model was read from, which the engine keeps under ``framework``."""
    found = root.findall("rt_info/framework/*")
    return {str(one.get("name") if one.tag == "info" else one.tag): str(one.get("value", "")) for one in found}


def bodies(root: "etree._Element") -> Iterator[Body]:
    """Yield the graph and every loop body and branch in it, the graph first. Raises Refused beyond the bounds."""
    seen = 0
    for layers in root.iter("layers"):
        seen += len(layers)
        if seen > MAX_LAYERS:
            raise Refused(f"The model has more than {MAX_LAYERS:,} layers.", AGAIN)
        found = [_layer(item) for item in layers if item.tag == "layer"]
        edges = [_edge(edge) for part in layers.getparent().findall("edges") for edge in part]
        body = Body({layer.id: layer for layer in found}, edges)
        if len(body.layers) != len(found):
            raise Refused("Two layers of the model have the same id.", AGAIN)
        yield body


def check(found: list[Body], room: int) -> None:
    """Refuse foreign operators, edges from nowhere, rings, and weights outside the ``room`` bytes of the weights file."""
    foreign = Counter(
        f"{layer.type} ({layer.version or 'no set'})"[:80]
        for body in found
        for layer in body.layers.values()
        if not SETS.fullmatch(layer.version)
    )
    if foreign:
        raise Refused(
            f"These operators are not part of OpenVINO and need a library beside the model: {', '.join(list(foreign)[:20])}.",
            "Convert the model again without extensions, or ask its author for ONNX.",
        )
    if not found or not found[0].layers:
        raise Refused("The OpenVINO graph is empty.", AGAIN)
    for body in found:
        _check_edges(body)
    for constant in constants(found):
        if constant.offset + constant.size > room:
            raise Refused(f"The weight {constant.name[:80]!r} is not inside the .bin.", BOTH)


def constants(found: list[Body]) -> Iterator[Constant]:
    """Yield every weight. Raises Refused when its shape and its bytes tell different stories."""
    for body in found:
        for layer in body.layers.values():
            if layer.type in ("Const", "Constant"):
                yield _constant(layer)


def rounded(found: list[Body]) -> dict[str, str]:
    """Return the integer type of each weight, by its layer's name, that is stored in floats and rounded by the graph."""
    kinds: dict[str, str] = {}
    for body in found:
        takes = {(target, to): source for source, _, target, to in body.edges}
        for layer in body.layers.values():
            levels = (
                int(layer.data["levels"])
                if layer.type == "FakeQuantize" and layer.data.get("levels", "").isdigit()
                else 0
            )
            source = body.layers.get(takes.get((layer.id, "0"), ""))
            while source and source.type in CUTS:
                source = body.layers.get(takes.get((source.id, "0"), ""))
            if source and source.type in ("Const", "Constant") and levels in ROUNDED:
                kinds[source.name] = ROUNDED[levels]
    return kinds


def inputs(body: Body) -> tuple[TensorSpec, ...]:
    """Return the inputs of a graph under the names of their tensors."""
    return tuple(_input(layer) for layer in body.layers.values() if layer.type == "Parameter")


def outputs(body: Body) -> tuple[TensorSpec, ...]:
    """Return what the results of a graph take, under the names of their tensors."""
    given = {target: (source, port) for source, port, target, _ in body.edges}
    results = [layer.id for layer in body.layers.values() if layer.type == "Result" and layer.id in given]
    sources = [(body.layers[given[id][0]], given[id][1]) for id in results]
    return tuple(layer.ports[port] for layer, port in sources if port in layer.ports)


def _layer(item: "etree._Element") -> IrLayer:
    attributes = {key: item.get(key, "") for key in ("id", "name", "type", "version")}
    data = item.find("data")
    ports = {str(port.get("id")): _port(port, attributes["name"]) for out in item.findall("output") for port in out}
    return IrLayer(**attributes, data={} if data is None else dict(data.attrib), ports=ports)


def _port(port: "etree._Element", fallback: str) -> TensorSpec:
    precision = port.get("precision", "")
    kind = PORTS.get(precision, precision.lower())
    dims = tuple(_dim(dim.text or "", place) for place, dim in enumerate(port.findall("dim")))
    names = [name.replace("\\,", ",") for name in re.split(r"(?<!\\),", port.get("names", "")) if name]
    return TensorSpec(min(names, default=fallback)[:200], NAMES.get(kind, kind[:20]), dims)


def _input(layer: IrLayer) -> TensorSpec:
    spec = next(iter(layer.ports.values()), TensorSpec(layer.name, "unknown", None))
    dtype = NAMES.get(layer.data.get("element_type", ""), spec.dtype)
    return TensorSpec(spec.name, dtype, None if "..." in layer.data.get("shape", "") else spec.shape)


def _dim(text: str, place: int) -> Dim:
    return int(text) if NUMBER.fullmatch(text) else ("batch" if place == 0 else None)


def _edge(edge: "etree._Element") -> tuple[str, str, str, str]:
    source, port, target, to = (str(edge.get(key)) for key in ("from-layer", "from-port", "to-layer", "to-port"))
    return source, port, target, to


def _constant(layer: IrLayer) -> Constant:
    where = f"The weight {layer.name[:80]!r}"
    kind, shape = layer.data.get("element_type", ""), layer.data.get("shape", "")
    dims = [dim.strip() for dim in shape.split(",") if dim.strip()]
    places = [layer.data.get("offset", ""), layer.data.get("size", "")]
    if kind not in NAMES or len(dims) > MAX_RANK or not all(map(NUMBER.fullmatch, (*dims, *places))):
        raise Refused(f"{where} describes its type or location in an unknown way.", AGAIN)
    found = Constant(layer.name, NAMES[kind], tuple(map(int, dims)), int(places[0]), int(places[1]))
    elements = math.prod(found.shape)
    # OpenVINO 2026.4 keeps one byte for a weight without elements, so that it has a place of its own.
    spare = elements == 0 and found.size == 1
    if kind != "string" and not spare and found.size != (elements * bits(NAMES[kind]) + 7) // 8:
        raise Refused(f"{where} claims {elements:,} elements but holds a different number of bytes.", AGAIN)
    return found


def _check_edges(body: Body) -> None:
    """Refuse an edge that leads nowhere, and layers that wait for one another."""
    waits: dict[str, set[str]] = {}
    for source, port, target, _ in body.edges:
        if target not in body.layers or port not in getattr(body.layers.get(source), "ports", ()):
            raise Refused("An edge of the OpenVINO graph leads nowhere.", AGAIN)
        waits.setdefault(target, set()).add(source)
    try:
        TopologicalSorter(waits).prepare()
    except CycleError:
        raise Refused("The layers of the OpenVINO graph form a cycle.", AGAIN) from None
