"""Planted wrong conversions behind the real verb: how many of them are no PASS, without data and with, and whether the right ones pass.

Each pair of ``tests/proof/planted.py`` is converted to another opset in the sandbox, and the wrong model takes the place of
what the converter wrote before it is proven. Run by ``python -m benchmarks.planted [PART_OF_A_NAME]``; one JSON object on stdout.
"""

import json
import sys
import tempfile
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from core.calls.bench import Bench
from core.domain.errors import PortolanError
from core.memory.blobs import Blobs
from core.sandbox import Sandbox
from core.sandbox.tools import Tools
from core.verbs import convert, ingest
from tests.asking import ask, ask_on
from tests.faults import Faulty
from tests.proof.planted import PAIRS, pair

ROWS = 200


def verdicts(name: str, folder: Path, sandbox: Sandbox) -> dict[str, str]:
    """Return the verdicts on the right and on the wrong result, without data and with ordinary rows."""
    right, wrong = pair(name)
    source, spoilt = folder / "model.onnx", wrong.SerializeToString()
    onnx.save(right, source)
    tools = Tools(Blobs(folder / "blobs"), sandbox, lambda fraction, text: None, threading.Event())
    bare = brought(tools, source, None)
    with_rows = brought(tools, source, rows(right, folder / "rows.npz"))
    asked = {
        "right": (Bench(tools), bare),
        "wrong": (Faulty(tools, lambda _: spoilt), bare),
        "wrong, with rows": (Faulty(tools, lambda _: spoilt), with_rows),
    }
    return {what: verdict(bench, args) for what, (bench, args) in asked.items()}


def brought(tools: Tools, source: Path, data: Path | None) -> dict[str, Any]:
    """Ingest a file, and return what a conversion to another opset asks."""
    blob = tools.blobs.put(source)
    ask(ingest, tools, {"sha256": blob.sha256, "size": blob.size, "name": source.name})
    given = {"sha256": tools.blobs.put(data).sha256, "name": data.name, "label": None} if data else None
    found = {"sha256": blob.sha256, "size": blob.size, "name": source.name, "format": "onnx", "artifact": None}
    return {**found, "data": given, "target": "onnx", "options": {"opset": 18}}


def verdict(bench: Bench, args: dict[str, Any]) -> str:
    """Convert and return the verdict, or the refusal in its words."""
    try:
        return str(ask_on(convert, bench, args)["parity"]["verdict"])
    except PortolanError as error:
        return f"refused: {error.trouble.message}"


def rows(model: onnx.ModelProto, out: Path) -> Path | None:
    """Write ordinary rows for each input: numbers around zero, small whole numbers, the texts of the graph."""
    rng, found = np.random.default_rng(11), {}
    for value in model.graph.input:
        kind = value.type.tensor_type
        shape = (ROWS, *(dim.dim_value or 8 for dim in kind.shape.dim[1:]))
        if kind.elem_type == onnx.TensorProto.STRING:
            found[value.name] = rng.choice(["red", "green", "blue"], shape)
        elif kind.elem_type in (onnx.TensorProto.INT64, onnx.TensorProto.INT32):
            found[value.name] = rng.integers(0, 4, shape).astype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
        else:
            found[value.name] = rng.normal(size=shape).astype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
    if len(found) > 1:
        return None
    np.savez(out, allow_pickle=False, **found)
    return out


def main(part: str) -> None:
    """Try the pairs whose name holds ``part``, and print what was found."""
    with tempfile.TemporaryDirectory() as folder, closing(Sandbox(Path(folder))) as sandbox:
        found = {}
        for place, name in enumerate(name for name in PAIRS if part in name):
            home = Path(folder) / f"pair{place}"
            home.mkdir()
            found[name] = verdicts(name, home, sandbox)
            print(name, found[name], file=sys.stderr)
    count = {what: sum(one[what] == "PASS" for one in found.values()) for what in next(iter(found.values()))}
    print(json.dumps({"pairs": len(found), "PASS": count, "verdicts": found}))


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]))
