"""ONNX with its weights in files beside it, all in one zip."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from core.border import archives
from core.domain.errors import Refused
from core.domain.format import Risk
from core.formats.anatomy import onnx_audit, onnx_dtypes, onnx_wire
from core.formats.anatomy.findings import warning
from core.formats.anatomy.onnx_summary import OnnxInside
from core.formats.anatomy.onnx_wire import Payload
from core.formats.anatomy.tensor_bytes import array
from core.web.package import MANIFEST

if TYPE_CHECKING:
    import numpy as np
    import onnx

KEYS = {"location", "offset", "length", "checksum"}
AGAIN = "Save the model again with all its weights in one data file beside it, and zip both."


class OnnxExternal(OnnxInside):
    """A zip of one ``.onnx`` file and the data files that it names."""

    title = "ONNX with external data (zip)"
    sentence = "An ONNX model of any size: the graph and its weights as separate files, in one zip."
    suffixes = (".zip",)

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the zip holds an ONNX file with something beside it."""
        kept = [n for n in names if not archives.JUNK.fullmatch(n)]
        return MANIFEST not in kept and len(kept) > 1 and any(n.lower().endswith(".onnx") for n in kept)

    def check(self, path: Path) -> Iterator[Risk]:
        """Check the zip, the graph, and that every weight lies inside a data file of the zip."""
        with archives.walk(path) as archive:
            plain = {name: member for member, name in archives.flat(archive.names).items()}
            sizes = {name: archive.members[member].size for name, member in plain.items()}
        with self.model(path) as model:
            skeleton = onnx_wire.read(model)
            yield from onnx_audit.check(skeleton)
            used = set()
            for tensor, _ in onnx_audit.walked(skeleton).tensors:
                if tensor.data_location == onnx_dtypes.EXTERNAL:
                    used.add(_check_place(tensor, sizes))
        for name in sorted(set(sizes) - used):
            if not name.lower().endswith(".onnx"):
                yield warning("The zip contains a file that the model does not use.", name)

    @contextmanager
    def as_onnx(self, path: Path) -> Iterator[Path]:
        """Unpack the one graph of the zip with the files beside it. Raises Refused when there is none, or more than one."""
        with tempfile.TemporaryDirectory(prefix="onnx-") as folder:
            graphs = [file for file in archives.extract(path, Path(folder)) if file.suffix.lower() == ".onnx"]
            if len(graphs) != 1:
                raise Refused(f"The zip contains {len(graphs)} .onnx files; one is needed.", AGAIN)
            yield graphs[0]

    @contextmanager
    def model(self, path: Path) -> Iterator[Path]:
        """Copy the one graph of the zip to a name of ours. Raises Refused when there is none, or more than one."""
        with archives.walk(path) as archive, tempfile.TemporaryDirectory(prefix="onnx-") as folder:
            graphs = [member for member, name in archives.flat(archive.names).items() if name.lower().endswith(".onnx")]
            if len(graphs) != 1:
                raise Refused(
                    f"The zip contains {len(graphs)} .onnx files; one is needed.", "Zip one model with its data files."
                )
            copy = Path(folder) / "model"
            archive.copy(graphs[0], copy)
            yield copy

    def numbers(
        self, path: Path, tensor: "onnx.TensorProto", payload: Payload | None, file: BinaryIO
    ) -> "np.ndarray | None":
        """Return what a tensor holds, in the graph or in a data file of the zip."""
        if tensor.data_location != onnx_dtypes.EXTERNAL:
            return super().numbers(path, tensor, payload, file)
        entries = {entry.key: entry.value for entry in tensor.external_data}
        kind, dims = tensor.data_type, tuple(tensor.dims)
        with archives.walk(path) as archive:
            member = next(m for m, name in archives.flat(archive.names).items() if name == entries["location"])
            with archive.open(member) as stream:
                stream.seek(int(entries.get("offset", 0)))
                data = stream.read(onnx_dtypes.expected_bytes(kind, onnx_dtypes.elements(dims)))
        return array(data, onnx_dtypes.name(kind), dims)


def _check_place(tensor: "onnx.TensorProto", sizes: dict[str, int]) -> str:
    """Refuse external data that is not a plain file of the zip, or does not lie inside it; return the file's name."""
    entries: dict[str, str] = {str(entry.key): str(entry.value) for entry in tensor.external_data}
    where = f"The weight {tensor.name[:80]!r}"
    if len(entries) != len(tensor.external_data) or set(entries) - KEYS:
        raise Refused(f"{where} describes the location of its data in an unknown way.", AGAIN)
    location = entries.get("location", "")
    if not archives.PLAIN_NAME.fullmatch(location):
        raise Refused(f"{where} points to {location[:80]!r}, which is not a plain file name.", AGAIN)
    if location not in sizes:
        raise Refused(f"{where} needs the file {location}, which is not in the zip.", AGAIN)
    if tensor.data_type not in onnx_dtypes.BITS:
        raise Refused(f"{where} contains texts, which cannot be stored in a data file.", AGAIN)
    needed = onnx_dtypes.expected_bytes(tensor.data_type, onnx_dtypes.elements(tensor.dims))
    offset, length = _count(entries.get("offset", "0"), where), _count(entries.get("length", str(needed)), where)
    if length != needed or offset + length > sizes[location]:
        raise Refused(f"{where} is not inside {location}.", AGAIN)
    return location


def _count(text: str, where: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise Refused(f"{where} gives {text[:40]!r} as an offset in its data file.", AGAIN)
    return int(text)


FORMAT = OnnxExternal()
