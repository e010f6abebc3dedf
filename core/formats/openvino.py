"""OpenVINO IR: the graph as .xml and the weights as .bin, both in one zip."""

from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from core.border import archives
from core.border.archives import Archive
from core.domain.artifact import Signature, TensorSpec
from core.domain.codec import encode
from core.domain.format import Format, Risk, Summary, Tensor
from core.domain.integer_products import Integers
from core.formats.anatomy import drawing, ir, ir_products, told
from core.formats.anatomy.drawing import Drawn
from core.formats.anatomy.findings import info
from core.formats.anatomy.tensor_bytes import array
from core.formats.anatomy.weight_counts import WeightCounts

if TYPE_CHECKING:
    import numpy as np
    from lxml import etree

VALUES = ("Const", "Parameter", "Result")
STATE = ("ReadValue", "Assign")


class OpenVino(Format):
    """A zip of one graph of OpenVINO's own operators and one file of weights; declarative, so that it needs no consent."""

    title = "OpenVINO IR (zip)"
    sentence = "OpenVINO's own format for Intel processors, graphics and accelerators: .xml and .bin in one zip."
    suffixes = (".zip",)
    lists_tensors = True

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the zip holds an .xml and a .bin, and no ONNX file that they could belong to."""
        kinds = {n.lower().rpartition(".")[2] for n in names if not archives.JUNK.fullmatch(n)}
        return {"xml", "bin"} <= kinds and not kinds & {"onnx", "py", "pkl"}

    def check(self, path: Path) -> Iterator[Risk]:
        """Check the zip, the XML, the operators' sets, the edges, and that every weight lies inside the .bin."""
        with archives.walk(path) as archive:
            _, found = _graphs(archive)
            ir.check(found, archive.members[ir.halves(archive.names)[1]].size)
        types = Counter(layer.type for body in found for layer in body.layers.values())
        if any(types[name] for name in STATE):
            yield info("The model keeps a state between calls; every proof starts from a fresh state.")

    def inspect(self, path: Path) -> Summary:
        """Read signature, operators and weights from the XML, and count the zeros in the .bin."""
        with archives.walk(path) as archive:
            root, found = _graphs(archive)
            counts = _weight_counts(archive, found)
            integers = _integers(archive, found)
        layers = [layer for body in found for layer in body.layers.values()]
        sets = [int(layer.version.removeprefix("opset")) for layer in layers]
        version = next((str(item.get("value"))[:60] for item in root.iter("info", "Runtime_version")), None)
        return Summary(
            format=self.id,
            signature=Signature(ir.inputs(found[0]), ir.outputs(found[0])),
            **counts.facts,
            operators=dict(Counter(layer.type for layer in layers if layer.type not in VALUES).most_common()),
            producer=f"OpenVINO {version}" if version else "OpenVINO",
            opset=max(sets, default=None),
            dependencies=("openvino",),
            notes={
                "ir_version": int(root.get("version")),
                "name": str(root.get("name", ""))[:120],
                "integers": encode(integers),
                **({"metadata": told.shown(entries)} if (entries := ir.entries(root)) else {}),
            },
        )

    def graph(self, path: Path, out: Path) -> bool:
        """Write the graph without its weights."""
        with archives.walk(path) as archive:
            _, found = _graphs(archive)
        out.write_bytes(_drawing(found[0]))
        return True

    def tensors(self, path: Path) -> Iterator[Tensor]:
        """Yield the constants in the order of their bytes."""
        with archives.walk(path) as archive:
            _, found = _graphs(archive)
            with archive.open(ir.halves(archive.names)[1]) as stream:
                for one in sorted(ir.constants(found), key=lambda w: (w.offset, w.name)):
                    yield Tensor(one.name, one.dtype, one.shape, partial(_numbers, stream, one))


def _graphs(archive: Archive) -> "tuple[etree._Element, list[ir.Body]]":
    root = ir.parse(archive.read(ir.halves(archive.names)[0], ir.MAX_XML))
    return root, list(ir.bodies(root))


def _weight_counts(archive: Archive, found: list[ir.Body]) -> WeightCounts:
    """Count the weights in the order of their bytes, each place once; single numbers are constants, no weights."""
    counts, end, rounded = WeightCounts(), 0, ir.rounded(found)
    with archive.open(ir.halves(archive.names)[1]) as stream:
        for weight in sorted(ir.constants(found), key=lambda w: (w.offset, w.name)):
            if not weight.shape:
                counts.mention(weight.name, weight.dtype, ())
            elif weight.offset >= end:
                counts.add(weight.name, weight.dtype, weight.shape, rounded.get(weight.name, ""))
                stream.seek(weight.offset)
                counts.measure_stream(stream, weight.size, weight.dtype)
                end = weight.offset + weight.size
    return counts


def _numbers(stream: BinaryIO, weight: ir.Constant) -> "np.ndarray | None":
    stream.seek(weight.offset)
    return array(stream.read(weight.size), weight.dtype, weight.shape)


def _integers(archive: Archive, found: list[ir.Body]) -> Integers:
    """Return what the model multiplies in integers."""
    with archive.open(ir.halves(archive.names)[1]) as stream:
        return Integers.of(ir_products.products(found, ir_products.ends(stream, found)))


def _drawing(body: ir.Body) -> bytes:
    names = {(layer.id, port): f"{layer.id}:{port}" for layer in body.layers.values() for port in layer.ports}
    names |= {
        (i.id, port): i.name for i in body.layers.values() if i.type in ("Parameter", "Const") for port in i.ports
    }
    takes: dict[str, list[str]] = {}
    for source, port, target, _ in body.edges:
        takes.setdefault(target, []).append(names[source, port])
    nodes = [
        Drawn(i.type, i.name, tuple(takes.get(i.id, ())), tuple(names[i.id, port] for port in i.ports))
        for i in body.layers.values()
        if i.type not in VALUES
    ]
    ends = [takes[i.id][0] for i in body.layers.values() if i.type == "Result" and i.id in takes]
    inputs = [_renamed(i) for i in body.layers.values() if i.type == "Parameter"]
    weights = [_renamed(i) for i in body.layers.values() if i.type == "Const"]
    results = [TensorSpec(end, spec.dtype, spec.shape) for end, spec in zip(ends, ir.outputs(body), strict=True)]
    return drawing.onnx("openvino", nodes, inputs, results, weights)


def _renamed(layer: ir.IrLayer) -> TensorSpec:
    spec = next(iter(layer.ports.values()), TensorSpec(layer.name, "unknown", ()))
    return TensorSpec(layer.name, spec.dtype, spec.shape)


FORMAT = OpenVino()
