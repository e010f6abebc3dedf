"""What every OpenVINO model here has in common: how the engine is loaded in silence, and how a model is read, named and written.

The engine reports to its maker from a forked child as soon as ``openvino_telemetry`` can be imported; here it never can.
"""

import re
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from core.border import archives
from core.domain.errors import Refused, plainly, refusing
from core.formats.anatomy import ir
from core.libraries import ir_guards

if TYPE_CHECKING:
    import openvino

OpenvinoModel: TypeAlias = "openvino.Model"

SETTINGS = {
    "INFERENCE_PRECISION_HINT": "f32",
    "EXECUTION_MODE_HINT": "ACCURACY",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
    "INFERENCE_NUM_THREADS": "1",
    "NUM_STREAMS": "1",
    "ENABLE_CPU_PINNING": "NO",
    "CPU_DENORMALS_OPTIMIZATION": "NO",
}
"""One thread and no shortcut: on some processors the engine would choose bf16 or int8 by itself."""
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold (section 2.2, Char)."""
ENTRIES = "framework"
"""Where the engine keeps the entries of the file that it read (``rt_info``)."""
TYPES = {"f32": "float32", "f64": "float64", "f16": "float16", "bf16": "bfloat16", "boolean": "bool", "string": "str"}
MISSING = re.compile(r"(?:No conversion rule found for operations?|Conversion is failed for): (.+)")
VERSION = re.compile(r"-\d+$")
FRAME = re.compile(
    r"Check '.*' failed at |Exception from |FrontEnd API failed with |Model wasn't fully converted|.*Summary:|-- "
    r"|While validating ONNX node"
)
"""What the engine writes around its reason: places in its own source, and headings."""


def engine() -> Any:
    """Import OpenVINO without its telemetry."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


def read(path: Path) -> OpenvinoModel:
    """Return the model of a zipped IR. Raises Refused with the engine's reason when it cannot be read."""
    folder = Path(tempfile.mkdtemp(prefix="ir-", dir="tmp" if Path("tmp").is_dir() else None))
    with archives.walk(path) as archive:
        for member, name in zip(ir.halves(archive.names), ("model.xml", "model.bin"), strict=True):
            archive.copy(member, folder / name)
    with refusing("OpenVINO cannot read this model", "Convert the model again from its source.", cause):
        return engine().Core().read_model(folder / "model.xml", folder / "model.bin")


def write(model: OpenvinoModel, out: Path, inputs: Sequence[str] = (), outputs: Sequence[str] = ()) -> None:
    """Write a model as one zip, under the given names of inputs and outputs; equal models give equal bytes.

    Raises Refused when the engine cannot run what it wrote.
    """
    ir_guards.guard(model)
    for ports, names in ((model.inputs, inputs), (model.outputs, outputs)):
        for port, name in zip(ports, names, strict=False):
            port.get_tensor().set_names({name})
    _number(model)
    with tempfile.TemporaryDirectory(prefix="ir-", dir="tmp" if Path("tmp").is_dir() else None) as folder:
        engine().save_model(model, Path(folder) / "model.xml", compress_to_fp16=False)
        with zipfile.ZipFile(out, "w") as archive:
            for name in ("model.xml", "model.bin"):
                archives.add(archive, name, Path(folder) / name)
    compiled(read(out))


def tell(model: OpenvinoModel, entries: Mapping[str, str]) -> None:
    """Keep the entries of the file that a model was read from where the engine keeps those of ONNX, without what XML cannot hold."""
    model.set_rt_info({NO_XML.sub(" ", key): NO_XML.sub(" ", value) for key, value in entries.items()}, ENTRIES)


def compiled(model: OpenvinoModel, *, counting: bool = False) -> "openvino.CompiledModel":
    """Make a model ready to run on the CPU, and to count the time of its operators if so asked. Raises Refused with the engine's reason when it cannot be."""
    openvino = engine()
    with refusing("OpenVINO cannot run this model on a CPU", "Choose another target, or replace this operator.", cause):
        return openvino.Core().compile_model(model, "CPU", {**SETTINGS, "PERF_COUNT": counting})


def refusal(error: Exception, told: Callable[[tuple[str, ...]], str], next_step: str) -> Refused:
    """Turn the engine's error on reading a model into words: all operators that it does not take, as ``told`` names them, and why."""
    names = missing(error)
    if not names:
        return Refused(f"OpenVINO cannot convert this model: {cause(error)}", next_step)
    reasons = [line.strip() for line in str(error).splitlines() if line.strip() and not FRAME.match(line.strip())]
    why = f" Its message: {plainly(' '.join(dict.fromkeys(reasons)))[:300]}" if reasons else ""
    return Refused(f"OpenVINO does not support these operators: {told(names)}.{why}", next_step)


def missing(error: Exception) -> tuple[str, ...]:
    """Return the operators that the engine has no rule for, or none for the form in which they stand, in its order."""
    found = [VERSION.sub("", name.strip()) for line in MISSING.findall(str(error)) for name in line.split(",")]
    return tuple(dict.fromkeys(name for name in found if name))


def cause(error: Exception) -> str:
    """Return what an error of the engine says without the places in its own source, at most 300 characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not FRAME.match(line)] or lines or [type(error).__name__]
    return plainly(" ".join(telling))[:300]


def _number(model: OpenvinoModel) -> None:
    """Number what has no name of its own by its place in the graph, where the engine counts through the process."""
    for place, node in enumerate(model.get_ordered_ops()):
        if re.fullmatch(rf"{node.get_type_name()}_\d+", node.get_friendly_name()):
            node.set_friendly_name(f"{node.get_type_name()}_{place}")
