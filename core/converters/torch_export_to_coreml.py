"""Exported program (.pt2) to Core ML by Core ML Tools: traced, or from the program itself where the trace does not convert."""

import json
import sys
import uuid
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.border import archives
from core.domain.artifact import TensorSpec
from core.domain.errors import Refused, first_line
from core.domain.groups import GROUPS
from core.domain.transform import Converter, Tolerance, option
from core.libraries.torch import ExportedProgram, exported_programs

if TYPE_CHECKING:
    from coremltools.proto.Model_pb2 import Model

UNUSED = ("tensorflow", "keras", "sklearn", "xgboost", "libsvm")
"""Core ML Tools imports these when they are there, which costs a gigabyte and ten seconds."""
INPUTS = {"float32": "float32", "float64": "float32", "float16": "float16", "int64": "int32", "int32": "int32"}


@dataclass(frozen=True)
class CoreMlOptions:
    """The precision of the program, and how many samples one call may take."""

    precision: str = option(
        "float32",
        "float32 keeps full precision; float16 is what the Neural Engine runs, at half the size.",
        choices=("float32", "float16"),
    )
    batch: int = option(64, "Largest number of samples in one call; 1 to 4096.", low=1, high=4096)


class TorchExportToCoreMl(Converter):
    """Writes for iOS 16 and macOS 13 on; what it answers can be proven on an Apple machine only."""

    title = "Exported program to Core ML"
    sentence = "Writes a PyTorch model (.pt2) as a Core ML package, in a zip; it is written here, but runs only on Apple devices."
    source, target, suffix = "torch_export", "coreml", ".zip"
    tolerance = Tolerance(absolute=1e-3, relative=1e-3)
    Options = CoreMlOptions
    group = GROUPS["coreml"]

    def convert(self, source: Path, out: Path, options: CoreMlOptions) -> None:
        """Convert and pack. Raises Refused for a free size behind the batch, or with the operator that has no form."""
        program = exported_programs.load(source)
        specs = exported_programs.inputs(program)
        exported_programs.fixed_behind(specs, "Core ML")
        _check_kinds(specs)
        with exported_programs.quiet():
            files = _converted(program, specs, options)
        _pack(files, out)


def _check_kinds(specs: Sequence[TensorSpec]) -> None:
    for spec in specs:
        if spec.dtype not in INPUTS:
            raise Refused(
                f"Core ML has no input type {spec.dtype} ({spec.name}).",
                "Export the model with float32 or int32 inputs.",
            )


class _Taken(Exception):
    """The package's data files, as Core ML Tools is about to write them."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__("a converted model")
        self.files = files


def _take(proto: "Model", weights_folder: str | None, place: str | None = None) -> str:
    """Stand where Core ML Tools writes its package; its own writer sets file modes, which the jail leaves as they are."""
    files = {"model.mlmodel": proto.SerializeToString(deterministic=True)}
    weights = Path(weights_folder or "") / "weight.bin"
    raise _Taken({**files, **({"weights/weight.bin": weights.read_bytes()} if weights.is_file() else {})})


def _converted(program: ExportedProgram, specs: Sequence[TensorSpec], options: CoreMlOptions) -> dict[str, bytes]:
    """Return the package's files by the first of two ways that works. Raises Refused with both reasons."""
    reasons = []
    for way in (_by_trace, _by_program):
        try:
            way(program, specs, options)
        except _Taken as done:
            return done.files
        except Exception as error:
            reasons.append(first_line(error))
    raise Refused(
        f"Core ML Tools cannot convert this program: {'; nor without a trace: '.join(reasons)}",
        "Replace the named operator with other torch operators, and export the model again.",
    )


def _tools() -> Any:
    for name in UNUSED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    import coremltools

    coremltools.models.model._create_mlpackage = _take
    return coremltools


def _settings(options: CoreMlOptions) -> dict[str, object]:
    tools = _tools()
    precision = tools.precision.FLOAT32 if options.precision == "float32" else tools.precision.FLOAT16
    return {
        "convert_to": "mlprogram",
        "compute_precision": precision,
        "minimum_deployment_target": tools.target.iOS16,
        "skip_model_load": True,
    }


def _by_trace(program: ExportedProgram, specs: Sequence[TensorSpec], options: CoreMlOptions) -> None:
    import numpy as np
    import torch

    tools = _tools()
    examples = exported_programs.examples(specs, exported_programs.sized(specs, 1))
    with torch.no_grad():
        script = torch.jit.trace(program.module(), examples, check_trace=False)  # type: ignore[no-untyped-call]
    inputs = [
        tools.TensorType(
            name=spec.name, shape=_shape(tools, spec, options.batch), dtype=np.dtype(INPUTS[spec.dtype]).type
        )
        for spec in specs
    ]
    tools.convert(script, inputs=inputs, **_settings(options))


def _by_program(program: ExportedProgram, specs: Sequence[TensorSpec], options: CoreMlOptions) -> None:
    _tools().convert(program.run_decompositions({}), **_settings(options))


def _shape(tools: Any, spec: TensorSpec, batch: int) -> Any:
    free = [not isinstance(dim, int) for dim in spec.shape or ()]
    if not any(free) or batch == 1:
        return tools.Shape(tuple(dim if isinstance(dim, int) else 1 for dim in spec.shape or ()))
    dims = (dim if isinstance(dim, int) else tools.RangeDim(1, batch, default=1) for dim in spec.shape or ())
    return tools.Shape(tuple(dims))


def _pack(files: dict[str, bytes], out: Path) -> None:
    """Write one zip; the manifest's ids come from the content, so that equal models give equal bytes."""
    members = {"Manifest.json": _manifest(files).encode()}
    members |= {f"Data/com.apple.CoreML/{name}": data for name, data in files.items()}
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archives.add(archive, f"model.mlpackage/{name}", data)


def _manifest(files: dict[str, bytes]) -> str:
    def item(name: str, path: str, what: str) -> tuple[str, dict[str, str]]:
        id = str(uuid.uuid5(uuid.NAMESPACE_OID, name + sha256(files["model.mlmodel"]).hexdigest())).upper()
        return id, {"author": "com.apple.CoreML", "description": what, "name": name, "path": f"com.apple.CoreML/{path}"}

    root, model = item("model.mlmodel", "model.mlmodel", "CoreML Model Specification")
    entries = {root: model}
    if "weights/weight.bin" in files:
        id, weights = item("weights", "weights", "CoreML Model Weights")
        entries[id] = weights
    manifest = {"fileFormatVersion": "1.0.0", "itemInfoEntries": entries, "rootModelIdentifier": root}
    return json.dumps(manifest, indent=4)


CONVERTER = TorchExportToCoreMl()
