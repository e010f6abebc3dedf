"""ORT: what ONNX Runtime writes for its reduced and mobile builds, a flatbuffer of an optimised graph."""

import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from core.domain.artifact import Dim, Signature, TensorSpec
from core.domain.errors import Refused, refusing
from core.domain.format import Format, Risk, Summary, Surroundings, Tensor
from core.formats.anatomy import ort_graph, told
from core.formats.anatomy.ort_graph import OrtTensor
from core.formats.anatomy.tensor_bytes import array

if TYPE_CHECKING:
    import numpy as np
    import onnxruntime

MAX_BYTES = 2 << 30
IDENTIFIER = b"ORTM"
ELEMENTS = {"float": "float32", "double": "float64", "string": "str"}


class Ort(Format):
    """A file that only ONNX Runtime runs; its signature comes from a session in the sandbox, its weights from its tables."""

    title = "ORT format"
    sentence = "ONNX Runtime's own format for phones and small builds: it loads fast, but cannot be converted back."
    suffixes = (".ort",)
    runs_in = Surroundings.DEVICE
    lists_tensors = lists_operators = True

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the flatbuffer carries ONNX Runtime's identifier."""
        return head[4:8] == IDENTIFIER

    def check(self, path: Path) -> Iterator[Risk]:
        """Check the frame of the flatbuffer and its tables; the rest is ONNX Runtime's own check, in the sandbox."""
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(8)
        if size > MAX_BYTES:
            raise Refused("The file is larger than 2 GB, the limit of a flatbuffer.", "Use ONNX with external data.")
        if len(head) < 8 or not 8 <= struct.unpack("<I", head[:4])[0] < size - 3:
            raise Refused("The file is cut off: its root is beyond its end.", "Download or export the file again.")
        ort_graph.read(path)
        yield from ()

    def inspect(self, path: Path) -> Summary:
        """Read weights and operators, and the inputs and outputs of a session that does not optimise. Raises Refused when none opens."""
        graph = ort_graph.read(path)
        session = _session(path)
        signature = Signature(tuple(map(_spec, session.get_inputs())), tuple(map(_spec, session.get_outputs())))
        meta = session.get_modelmeta()
        documentation = {"doc_string": meta.description} if meta.description else {}
        entries = {**documentation, **meta.custom_metadata_map}
        return Summary(
            format=self.id,
            signature=signature,
            **graph.counts(path).facts,
            operators=dict(graph.operators.most_common()),
            producer=meta.producer_name or None,
            dependencies=("onnxruntime",),
            notes={"metadata": told.shown(entries)} if entries else {},
        )

    @contextmanager
    def as_onnx(self, path: Path) -> Iterator[Path]:
        """Have ONNX Runtime write what it loaded, without optimising it."""
        with tempfile.TemporaryDirectory(prefix="ort-") as folder:
            copy = Path(folder) / "model.onnx"
            _session(path, copy)
            yield copy

    def tensors(self, path: Path) -> Iterator[Tensor]:
        """Yield the weights of the graph and of the graphs inside it, and the lists of numbers that nodes hold."""
        with path.open("rb") as file:
            graph = ort_graph.read(path)
            for one in (*graph.tensors, *graph.lists):
                yield Tensor(one.name, one.dtype, one.shape, partial(_numbers, file, one))


def _numbers(file: BinaryIO, tensor: OrtTensor) -> "np.ndarray | None":
    file.seek(tensor.start)
    return array(file.read(tensor.length), tensor.dtype, tensor.shape)


def _session(path: Path, copy: Path | None = None) -> "onnxruntime.InferenceSession":
    """Open the file as it stands, and write its graph as ONNX where a place for it is named."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    options.add_session_config_entry("session.load_model_format", "ORT")
    if copy is not None:
        options.optimized_model_filepath = str(copy)
        options.add_session_config_entry("session.save_model_format", "ONNX")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    with refusing(
        "ONNX Runtime cannot open this file",
        "Convert the model again with the ONNX Runtime version named in the report.",
    ):
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _spec(node: "onnxruntime.NodeArg") -> TensorSpec:
    """Turn ``tensor(float)`` and a shape with names into a spec."""
    kind = node.type.removeprefix("tensor(").removesuffix(")") if node.type.startswith("tensor(") else node.type
    dims: list[Dim] = [
        dim if isinstance(dim, int) and dim >= 0 else (str(dim) if isinstance(dim, str) else None) for dim in node.shape
    ]
    return TensorSpec(node.name, ELEMENTS.get(kind, kind), tuple(dims))


FORMAT = Ort()
