"""The tables of an ExecuTorch program: its method, kernels and delegates, read within bounds.

Field numbers and names: ``program.fbs`` and ``scalar_type.fbs`` of pytorch/executorch, identifier ET12.
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from core.domain.artifact import Dim, TensorSpec
from core.domain.errors import Refused
from core.formats.anatomy.flatbuffer import Source, Table

IDENTIFIER = b"ET12"
MAX_BYTES = 2 << 30
DTYPES = {
    0: "uint8", 1: "int8", 2: "int16", 3: "int32", 4: "int64", 5: "float16", 6: "float32", 7: "float64", 11: "bool",
    15: "bfloat16", 27: "uint16", 28: "uint32", 29: "uint64",
}  # fmt: skip
TENSOR, STATIC = 5, 0
KERNEL = re.compile(r"(aten|executorch_prim|dim_order_ops|quantized_decomposed|et_vk|llama)::[A-Za-z0-9_]{1,100}")
DELEGATE = re.compile(r"[A-Za-z0-9_]{1,60}")
AGAIN = "Convert the model to ExecuTorch again."


@dataclass(frozen=True)
class Program:
    """One method: what it takes and gives, how often each kernel and delegate stands in it, and its largest batch."""

    version: int
    method: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    kernels: dict[str, int]
    delegates: dict[str, int]
    largest: int | None
    planned_bytes: int


def read(path: Path) -> Program:
    """Read the one method of a file. Raises Refused for what is broken, or for more methods than one."""
    if not 0 < path.stat().st_size <= MAX_BYTES:
        raise Refused("The file is empty, or larger than 2 GB.", AGAIN)
    data = path.read_bytes()
    if data[4:8] != IDENTIFIER:
        raise Refused("The file is not an ExecuTorch program of a supported version.", AGAIN)
    root = Source(memoryview(data)).root()
    plans = list(root.tables(1))
    if len(plans) != 1:
        raise Refused(f"The program has {len(plans)} methods; only one is supported.", "Export one method (forward).")
    _check_segments(root, data)
    return _program(root, plans[0])


def _program(root: Table, plan: Table) -> Program:
    values = list(plan.tables(2))
    inputs, bounds = _ports(values, plan.numbers(3, "i"), "input")
    outputs, _ = _ports(values, plan.numbers(4, "i"), "output")
    kernels = [one.text(0) for one in plan.tables(6)]
    delegates = [one.text(0) for one in plan.tables(7)]
    strange = [name for name in kernels if not KERNEL.fullmatch(name)] + [
        n for n in delegates if not DELEGATE.fullmatch(n)
    ]
    if strange:
        raise Refused(f"The program calls kernels that ExecuTorch does not include: {', '.join(strange)[:160]}.", AGAIN)
    return Program(
        version=root.number(0, "I"),
        method=plan.text(0),
        inputs=inputs,
        outputs=outputs,
        kernels=dict(Counter(kernels)),
        delegates=dict(Counter(delegates)),
        largest=min(bounds, default=None),
        planned_bytes=sum(plan.numbers(8, "q")),
    )


def _ports(values: list[Table], places: tuple[int, ...], side: str) -> tuple[tuple[TensorSpec, ...], list[int]]:
    """Return the specs of inputs or outputs, and the largest batch of each whose sizes are bounds."""
    specs, bounds = [], []
    for number, place in enumerate(places):
        if not 0 <= place < len(values):
            raise Refused(f"The program names an {side} that it does not have.", AGAIN)
        value = values[place].table(1)
        if values[place].number(0, "B") != TENSOR or value is None:
            raise Refused(f"An {side} of the program is not a tensor.", "Export the model with plain tensors.")
        sizes = value.numbers(2, "i")
        free = value.number(8, "b") != STATIC and bool(sizes)
        dims: tuple[Dim, ...] = ("batch", *sizes[1:]) if free else sizes
        specs.append(TensorSpec(f"{side}_{number}", DTYPES.get(value.number(0, "b"), "other"), dims))
        bounds += [sizes[0]] if free else []
    return tuple(specs), bounds


def _check_segments(root: Table, data: bytes) -> None:
    """Check that each data segment behind the program lies inside the file."""
    start = int.from_bytes(data[24:32], "little") if data[8:12] == b"eh00" else len(data)
    for segment in root.tables(4):
        if start + segment.number(0, "Q") + segment.number(1, "Q") > len(data):
            raise Refused("The weights of the program extend beyond the file, which is cut off.", "Download it again.")
