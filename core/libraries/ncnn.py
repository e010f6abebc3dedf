"""What every way to ncnn has in common: pnnx is run behind the walls, its result is judged, and both files become one zip."""

import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from core.border import archives
from core.border.jail import programs
from core.domain.artifact import TensorSpec
from core.domain.errors import Refused
from core.formats.anatomy import ncnn_param
from core.formats.anatomy.ncnn_param import Row

KINDS = {
    "float32": "f32", "float64": "f64", "float16": "f16",
    **{f"{sign}int{bits}": f"{sign[:1]}{'i' if not sign else ''}{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}  # fmt: skip
KEYS = {1: ("0",), 2: ("1", "0"), 3: ("2", "1", "0"), 4: ("2", "11", "1", "0")}
"""An Input layer's keys for the sizes of a sample, by the number of its dimensions."""


def one_sample(specs: Sequence[TensorSpec]) -> list[tuple[int, ...]]:
    """Return the shape of each input at a batch of one. Raises Refused for a type or a free size that ncnn has not."""
    return [_shape(spec) for spec in specs]


def convert(model: Path, specs: Sequence[TensorSpec]) -> list[Row] | Refused:
    """Run pnnx on a TorchScript (.pt) or ONNX (.onnx) file; its files lie beside it then.

    Returns the layers, or in words why there is no whole ncnn model. Raises what the program's end means.
    """
    shapes = zip(one_sample(specs), specs, strict=True)
    words = ",".join(f"[{','.join(map(str, shape))}]{KINDS[spec.dtype]}" for shape, spec in shapes)
    param = model.with_suffix(".param")
    ended = programs.run([str(model.absolute()), f"inputshape={words}", "fp16=0", *_outputs(model)])
    if not param.exists():
        return Refused(f"pnnx wrote no ncnn model: {_last(ended.said)}", "Try another source format or another target.")
    rows = ncnn_param.parse(param.read_bytes())
    if unknown := ncnn_param.unknown_layers(rows):
        return Refused(
            f"ncnn has no layer for {', '.join(unknown)}.",
            "Replace these parts of the model with other operators, or choose another target.",
        )
    ncnn_param.check(rows)
    return rows


def pack(model: Path, rows: list[Row], specs: Sequence[TensorSpec], out: Path) -> None:
    """Write layers and weights as one zip; the inputs' sizes are written down, which pnnx leaves out."""
    names = [row.gives[0] for row in ncnn_param.inputs(rows)]
    if len(names) != len(specs):
        raise Refused(
            f"pnnx keeps only {len(names)} of {len(specs)} inputs.",
            "Remove the unused inputs from the model and export it again.",
        )
    sizes = dict(zip(names, (shape[1:] for shape in one_sample(specs)), strict=True))
    lines = [_sized(line, sizes) for line in model.with_suffix(".param").read_text().splitlines()]
    with zipfile.ZipFile(out, "w") as archive:
        archives.add(archive, "model.param", ("\n".join(lines) + "\n").encode())
        archives.add(archive, "model.bin", model.with_suffix(".bin").read_bytes())


def work_folder() -> Path:
    """Make a folder of ours for the program's files."""
    return Path(tempfile.mkdtemp(prefix="pnnx-", dir="tmp" if Path("tmp").is_dir() else None))


def _shape(spec: TensorSpec) -> tuple[int, ...]:
    dims = (spec.shape or ())[1:]
    if spec.dtype not in KINDS or any(not isinstance(dim, int) for dim in dims) or not 1 <= len(dims) <= 4:
        raise Refused(
            f"ncnn takes samples of one to four fixed sizes; the input {spec.name!r} is {spec.dtype} of {list(spec.shape or ())}.",
            "Export the model with fixed sizes after a dynamic batch dimension.",
        )
    return (1, *(int(dim) for dim in dims if isinstance(dim, int)))


def _outputs(model: Path) -> list[str]:
    stem = str(model.absolute().with_suffix(""))
    kept = [f"ncnnparam={stem}.param", f"ncnnbin={stem}.bin"]
    aside = ("pnnxparam", "pnnxbin", "pnnxpy", "pnnxonnx", "ncnnpy")
    return [*kept, *(f"{name}={stem}_{name}.{name[4:].removeprefix('_')}" for name in aside)]


def _sized(line: str, sizes: dict[str, tuple[int, ...]]) -> str:
    words = line.split()
    if len(words) < 5 or words[0] != "Input" or words[4] not in sizes:
        return line
    sample = sizes[words[4]]
    return " ".join([line.rstrip(), *(f"{key}={size}" for key, size in zip(KEYS[len(sample)], sample, strict=True))])


def _last(said: str) -> str:
    """Return the last line that sounds like a reason."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith(("#", "-", "pass"))]
    return lines[-1][:250] if lines else "no message was given"
