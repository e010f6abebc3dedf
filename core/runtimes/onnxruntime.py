"""ONNX Runtime on the CPU: the reference for ONNX, ONNX with external data, and ORT files."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.domain.artifact import Signature, TensorSpec
from core.domain.errors import Refused, first_line
from core.domain.landmarks import Landmarks
from core.domain.recipe import Option
from core.domain.runtime import UNKNOWN_INTEGER, Domain, Runtime, Session
from core.formats.anatomy.onnx_summary import weightless
from core.onnx import windows
from core.onnx.files import has_half, id_bounds, load, unpacked
from core.onnx.landmarks import landmarks

if TYPE_CHECKING:
    import onnx
    import onnxruntime

DTYPES = {
    "float": "float32",
    "double": "float64",
    "float16": "float16",
    "bool": "bool",
    "string": "str",
    **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
LOCALE = re.compile(r"locale with name: ?([\w.@-]+?)(?=:|\s|$)")
"""How StringNormalizer of version 1.31.1 says that the machine has no such locale."""
TABLES = {"seq(map(int64,tensor(float)))": "float32", "seq(map(string,tensor(float)))": "float32"}
EXACT = {"session.x64quantprecision": "1", "session.qdq_matmulnbits_accuracy_level": "1"}
"""The switches that keep the arithmetic what the file says: uint8 by uint8 where a sum would saturate otherwise, and
float32 inputs to weights of 4 bits, which version 1.31.1 rounds to int8 unless it is told (0.002 of 1.7 in one case)."""


class OnnxRuntime(Runtime):
    """Runs on one thread and the CPU provider only, so that equal inputs give equal bits."""

    title = "ONNX Runtime"
    sentence = "Runs ONNX and ORT files on the CPU, and the model inside a web package."
    formats = ("onnx", "onnx_external", "ort", "web_package")
    packages = ("numpy", "onnxruntime")
    kind = "light"

    def open(self, path: Path, format: str) -> Session:
        """Load the file. Raises Refused with the engine's first line when it cannot."""
        return self.opener(path, format, {})()

    def open_exact(self, path: Path, format: str, given: dict[str, Option]) -> Session:
        """Load the file with the kernels of ONNX Runtime that neither saturate without VNNI nor round what the file does not round."""
        return _opener(path, format, EXACT)()

    def in_float64(self, path: Path, format: str) -> Session | None:
        """Have torch compute the graph, as ONNX Runtime lacks float64 for most operators."""
        if format == "ort":
            return None
        from core.train.onnx_torch.float64 import Float64Session

        return Float64Session(_model_file(path, format))

    def landmarks(self, path: Path, format: str) -> Landmarks:
        """Read the constants of the graph and what meets them; of an ORT file nothing is known."""
        return Landmarks() if format == "ort" else landmarks(load(_model_file(path, format)))

    def opener(self, path: Path, format: str, given: dict[str, Option]) -> Callable[[], Session]:
        """Read types and tables of the graph, let go of it, and return the call that loads the file."""
        return _opener(path, format, {})

    def opener_on(self, path: Path, format: str, given: dict[str, Option], threads: int) -> Callable[[], Session]:
        """Do the same on several threads, which sleep where they wait for each other: spinning would count as work."""
        return _opener(path, format, {"session.intra_op.allow_spinning": "0"} if threads > 1 else {}, threads)


class OrtSession(Session):
    """An inference session with NumPy names for its types."""

    def __init__(
        self, session: "onnxruntime.InferenceSession", bounds: dict[str, int], sliding: "onnx.ModelProto | None" = None
    ) -> None:
        self._session, self._sliding = session, sliding
        self._fitting: dict[tuple[tuple[int, ...], ...], str] = {}
        self.signature = Signature(
            tuple(_spec(value) for value in session.get_inputs()),
            tuple(_spec(value) for value in session.get_outputs()),
        )
        self.domains = {spec.name: _domain(spec, bounds) for spec in self.signature.inputs}
        self.metadata = session.get_modelmeta().custom_metadata_map

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run the graph; text goes in and out as NumPy text, a list of maps comes out as one column per key.

        Raises Refused for sizes at which a window does not fit, where the engine's answer is its own and not the model's.
        """
        if self._sliding is not None and (node := self._too_large(self._sliding, inputs)):
            raise Refused(f"The window of {node} is larger than what it slides over.", "Give larger inputs.")
        feed = {name: array.astype(object) if array.dtype.kind == "U" else array for name, array in inputs.items()}
        names = [spec.name for spec in self.signature.outputs]
        return dict(zip(names, map(_plain, self._session.run(names, feed)), strict=True))

    def _too_large(self, sliding: "onnx.ModelProto", inputs: dict[str, np.ndarray]) -> str:
        """Name the first window that does not fit; asked once for each set of shapes."""
        shapes = {name: array.shape for name, array in inputs.items()}
        key = tuple(shapes.values())
        if key not in self._fitting:
            self._fitting[key] = windows.too_large(sliding, shapes)
        return self._fitting[key]


def _opener(path: Path, format: str, entries: dict[str, str], threads: int = 1) -> Callable[[], Session]:
    if format == "ort":
        return lambda: OrtSession(_load(path, entries, threads, half=False, ort=True), {})
    place = _model_file(path, format)
    model = load(place)
    half, bounds = has_half(model), id_bounds(model)
    sliding = type(model).FromString(weightless(model)) if windows.slide(model) else None
    return lambda: OrtSession(_load(place, entries, threads, half=half, ort=False), bounds, sliding)


def _model_file(path: Path, format: str) -> Path:
    return unpacked(path) if format in ("onnx_external", "web_package") else path


def _load(
    path: Path, entries: dict[str, str], threads: int, *, half: bool, ort: bool
) -> "onnxruntime.InferenceSession":
    """Open a session; half precision stays below the highest level, where version 1.31.1 was seen to crash."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_EXTENDED if half else levels.ORT_ENABLE_ALL
    for key, value in {"session.load_model_format": "ORT" if ort else "ONNX", **entries}.items():
        options.add_session_config_entry(key, value)
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise _refusal(error) from None


def _refusal(error: Exception) -> Refused:
    """Say what a file lacks, or what this machine lacks for it: the rules of a language for upper and lower case."""
    if locale := LOCALE.search(str(error)):
        return Refused(
            f"The file turns text to upper or lower case by the locale {locale[1]}, which this machine does not have.",
            f"Install that locale where Portolan runs (on Debian: the package locales, then locale-gen {locale[1]}), or "
            "export the model with the locale C.",
        )
    return Refused(
        f"ONNX Runtime cannot load this file: {first_line(error)}", "Export it again, or convert it to another opset."
    )


def _spec(value: "onnxruntime.NodeArg") -> TensorSpec:
    kind = value.type.removeprefix("tensor(").removesuffix(")")
    dtype = DTYPES.get(kind) or TABLES.get(value.type)
    if dtype is None:
        raise Refused(
            f"{value.name!r} has the type {value.type}, for which no test input can be made.",
            "Export the model with plain tensors.",
        )
    shape = None if value.type in TABLES else tuple(dim if dim != "" else None for dim in value.shape)
    return TensorSpec(value.name, dtype, shape)


def _domain(spec: TensorSpec, bounds: dict[str, int]) -> Domain:
    if spec.name in bounds:
        return Domain("ids", bound=bounds[spec.name])
    if spec.dtype == "str":
        return Domain("choice", values=("a", "b", ""))
    return Domain() if spec.dtype.startswith("float") else UNKNOWN_INTEGER


def _plain(value: np.ndarray | list[dict[int | str, float]]) -> np.ndarray:
    if isinstance(value, list):
        keys = sorted(value[0]) if value else []
        return np.array([[row[key] for key in keys] for row in value], dtype=np.float32)
    return value.astype(np.str_) if value.dtype.kind == "O" else value


RUNTIME = OnnxRuntime()
