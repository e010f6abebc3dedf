"""ONNX to ONNX of another opset or IR version, for a runtime that is older or newer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core import onnx_files
from core.domain.errors import Refused
from core.domain.transform import Converter, Tolerance

KEEP = 0


@dataclass(frozen=True)
class VersionOptions:
    """Which versions to write; 0 keeps the file's opset, or takes the lowest IR version that is enough."""

    opset: int = field(
        default=21,
        metadata={"help": "ONNX operator set to write, 7 to 26; 0 keeps it.", "choices": (KEEP, *range(7, 27))},
    )
    ir: int = field(
        default=KEEP,
        metadata={
            "help": "IR version to write, 3 to 13; 0 takes the lowest that the opset needs.",
            "choices": (KEEP, *range(3, 14)),
        },
    )


class OnnxToOnnx(Converter):
    """Tries the two version converters there are, and keeps the first result that is valid and loads."""

    title = "ONNX to another opset"
    sentence = "Rewrites an ONNX file for another operator set or IR version."
    source, target, suffix = "onnx", "onnx", ".onnx"
    tolerance = Tolerance(absolute=1e-5, relative=1e-5)
    Options = VersionOptions

    def convert(self, source: Path, out: Path, options: VersionOptions) -> None:
        """Convert, check and load. Raises Refused with the operators that stand in the way."""

        model = onnx_files.load(source)
        before = onnx_files.opset(model)
        wanted = options.opset or before
        ways = [_same] if wanted == before else [_by_onnx, _by_onnxscript]
        for way in ways:
            if _attempt(way, model, wanted, options.ir, out):
                return
        out.unlink(missing_ok=True)
        raise Refused(
            f"Opset {before} does not go to {wanted}: {_in_the_way(model, before, wanted)}.",
            "Choose an opset nearer to the file's, or export the model again from its source with that opset.",
        )


def _same(model: Any, opset: int) -> Any:
    import onnx

    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def _by_onnx(model: Any, opset: int) -> Any:
    import onnx

    return onnx.version_converter.convert_version(model, opset)


def _by_onnxscript(model: Any, opset: int) -> Any:
    from onnxscript import version_converter

    return version_converter.convert_version(_same(model, opset), opset)


def _attempt(way: Callable[[Any, int], Any], model: Any, opset: int, ir: int, out: Path) -> bool:
    """Write one way's result and say whether it holds: the opset asked for, valid, loadable, the batch as free as before."""
    try:
        result = way(model, opset)
        if onnx_files.opset(result) != opset:
            return False
    except Exception:
        return False
    result.ir_version = _ir(result, ir)
    if onnx_files.free_batch(model) and not onnx_files.free_batch(result):
        return False
    try:
        onnx_files.write(result, out)
        onnx_files.loads(out)
    except Refused:
        return False
    return True


def _ir(model: Any, wanted: int) -> int:
    """Return the IR version to write. Raises Refused when the wanted one is older than the opsets need."""
    needed = onnx_files.lowest_ir(model)
    if wanted and wanted < needed:
        raise Refused(
            f"IR version {wanted} cannot hold opset {onnx_files.opset(model)}.",
            f"Ask for IR {needed} or higher, or a lower opset.",
        )
    return wanted or needed


def _in_the_way(model: Any, before: int, wanted: int) -> str:
    """Name the operators whose definition changed between the two opsets."""
    import onnx

    names = sorted({node.op_type for node in model.graph.node if node.domain in ("", "ai.onnx")})
    changed = []
    for name in names:
        versions = [_since(onnx, name, at) for at in (before, wanted)]
        if versions[0] != versions[1]:
            changed.append(f"{name} ({versions[0]} to {versions[1]})" if versions[1] else f"{name} (not in {wanted})")
    return (
        f"the definitions of these operators differ: {', '.join(changed[:8])}"
        if changed
        else "no converter carries the graph over"
    )


def _since(onnx: Any, name: str, opset: int) -> int | None:
    try:
        return int(onnx.defs.get_schema(name, opset, "").since_version)
    except onnx.defs.SchemaError:
        return None


CONVERTER = OnnxToOnnx()
