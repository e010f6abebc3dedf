"""ONNX in one file: the hub of all conversions, a graph of standard operators with its weights."""

from collections.abc import Iterator
from pathlib import Path

from core.domain.errors import Refused
from core.domain.format import Format, Risk, Summary
from core.formats.anatomy import onnx_audit, onnx_compact, onnx_summary, onnx_wire
from core.formats.anatomy.onnx_dtypes import EXTERNAL


class Onnx(Format):
    """A protobuf that holds one graph; declarative, so that it needs no consent."""

    title = "ONNX"
    sentence = "The open exchange format: a graph of standard operators that runs in many engines."
    suffixes = (".onnx",)

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the first fields are those of an ONNX model."""
        return not names and onnx_wire.looks_like_model(head)

    def check(self, path: Path) -> Iterator[Risk]:
        """Check sizes, structure, operators and weights."""
        skeleton = onnx_wire.read(path)
        yield from onnx_audit.check(skeleton)
        yield from onnx_compact.remarks(skeleton.model)
        for tensor, _ in onnx_audit.walked(skeleton).tensors:
            if tensor.data_location == EXTERNAL:
                raise Refused(
                    f"The weight {tensor.name[:80]!r} is stored in another file, which was not added.",
                    "Put the model and its data file into one zip, and open that.",
                )

    def inspect(self, path: Path) -> Summary:
        """Read signature, operators and weights without loading large weights."""
        return onnx_summary.summary(self.id, path, onnx_wire.read(path))

    def graph(self, path: Path, out: Path) -> bool:
        """Write the graph without its weights."""
        out.write_bytes(onnx_summary.weightless(onnx_wire.read(path).model))
        return True


FORMAT = Onnx()
