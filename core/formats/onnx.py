"""ONNX in one file: the hub of all conversions, a graph of standard operators with its weights."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from core.domain.errors import Refused
from core.domain.format import Risk
from core.formats.anatomy import onnx_audit, onnx_compact, onnx_wire
from core.formats.anatomy.onnx_dtypes import EXTERNAL
from core.formats.anatomy.onnx_summary import OnnxInside


class Onnx(OnnxInside):
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

    def model(self, path: Path) -> AbstractContextManager[Path]:
        """Return the file itself."""
        return nullcontext(path)


FORMAT = Onnx()
