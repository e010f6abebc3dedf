"""What a bundle holds for JavaScript: a module that runs the model once in Node, and the package that it needs, pinned."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from string import Template

from core import web
from core.domain.artifact import TensorSpec

HERE = Path(__file__).parent
ARRAYS = {
    **{f"int{bits}": f"Int{bits}Array" for bits in (8, 16, 32)},
    **{f"uint{bits}": f"Uint{bits}Array" for bits in (8, 16, 32)},
    "int64": "BigInt64Array",
    "uint64": "BigUint64Array",
    "float16": "Uint16Array",
    "float32": "Float32Array",
    "float64": "Float64Array",
    "bool": "Uint8Array",
}
"""The typed array that holds a tensor of each kind (onnxruntime-common, Tensor)."""


def members(format: str, member: str, inputs: Sequence[TensorSpec]) -> dict[str, str]:
    """Return the files by name; none for a format that onnxruntime-web does not load, or inputs that are no tensors."""
    if format not in web.FORMATS or any(spec.dtype not in (*ARRAYS, "str") for spec in inputs):
        return {}
    needs = {"private": True, "type": "module", "dependencies": {"onnxruntime-web": web.VERSION}}
    lines = ",\n".join(f"  {json.dumps(spec.name)}: {example(spec)}" for spec in inputs)
    template = Template((HERE / "use_javascript.txt").read_text())
    return {
        "use.mjs": template.substitute(member=member, inputs=lines),
        "package.json": json.dumps(needs, indent=2) + "\n",
    }


def example(spec: TensorSpec) -> str:
    """Return a JavaScript expression for one row of an input; symbolic dimensions become 1."""
    shape = [dim if isinstance(dim, int) else 1 for dim in spec.shape or []]
    size = math.prod(shape)
    if spec.dtype == "str":
        return f'new ort.Tensor("string", Array({size}).fill(""), {shape})'
    return f'new ort.Tensor("{spec.dtype}", new {ARRAYS[spec.dtype]}({size}), {shape})'
