"""Faults of a move, planted at random into packages behind the real verb: how many are stopped, and how many by a gate that names the cause.

``python -m benchmarks.faults [COUNT] [SEED]``; as many of each kind, one JSON object on stdout. Between the writing of a
package and its tests one thing is changed: a weight of the model, a line of its code, a name in its signature.
"""

import io
import json
import random
import re
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from PIL import Image

from core.answers import package
from core.answers.package import Members
from core.domain.codec import encode
from core.domain.migration import MigrateRequest, Migration
from core.domain.recipe import Step
from core.domain.report import Verdict
from core.domain.task import Task
from core.domain.work import Data, Subject
from core.memory.blobs import Blobs
from core.preprocessing.resize import FILTERS
from core.sandbox import Sandbox
from core.sandbox.tools import Memory, Tools
from core.verbs import migrate

FASHION = Path(__file__).parent.parent / "sample_models" / "fashion_cnn"
NAMES = ("t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
STEPS = (
    Step("picture", {"colours": "grey"}),
    Step("resize", {"height": 28, "width": 28}),
    Step("scale"),
    Step("layout"),
)
TASK = Task(STEPS, NAMES)
Plant = Callable[[Members, Path, random.Random], Members]


class Exports(Memory):
    """Remembers exports by their request, so that each is made once."""

    def __init__(self) -> None:
        self.found: dict[str, object] = {}

    def known(self, verb, request, kind):  # type: ignore[no-untyped-def]
        """Return an export."""
        return self.found.get(json.dumps(encode(request), sort_keys=True))

    def answer(self, verb: str, request: object, result: object) -> None:
        """Keep an export."""
        self.found[json.dumps(encode(request), sort_keys=True)] = result


def head(model: onnx.ModelProto) -> tuple[onnx.TensorProto, onnx.TensorProto, int]:
    """Return weight and bias of the last layer, and the axis of the weight that the classes lie along."""
    last = next(node for node in reversed(model.graph.node) if node.op_type == "Gemm")
    known = {one.name: one for one in model.graph.initializer}
    turned = any(attribute.name == "transB" and attribute.i for attribute in last.attribute)
    return known[last.input[1]], known[last.input[2]], 0 if turned else 1


def spoilt(members: Members, folder: Path, change: Callable[[onnx.ModelProto], None]) -> Members:
    """Return the files with a changed model."""
    name = next(one for one in members if one.endswith(".onnx"))
    model = onnx.load(str(members[name]))
    change(model)
    onnx.save(model, folder / "spoilt.onnx")
    return {**members, name: folder / "spoilt.onnx"}


def rewritten(tensor: onnx.TensorProto, value: np.ndarray) -> None:
    """Put other numbers into a tensor."""
    tensor.CopyFrom(
        numpy_helper.from_array(np.ascontiguousarray(value, numpy_helper.to_array(tensor).dtype), tensor.name)
    )


def scaled(members: Members, folder: Path, draw: random.Random) -> Members:
    """Scale the weight of the last layer by up to a tenth."""
    factor = 1 + draw.choice((-1, 1)) * draw.uniform(0.005, 0.1)

    def change(model: onnx.ModelProto) -> None:
        weight, _, _ = head(model)
        rewritten(weight, numpy_helper.to_array(weight) * factor)

    return spoilt(members, folder, change)


def swapped(members: Members, folder: Path, draw: random.Random) -> Members:
    """Swap two classes of the last layer."""
    order = list(range(len(NAMES)))
    one, other = draw.sample(order, 2)
    order[one], order[other] = order[other], order[one]

    def change(model: onnx.ModelProto) -> None:
        weight, bias, axis = head(model)
        rewritten(weight, numpy_helper.to_array(weight).take(order, axis))
        rewritten(bias, numpy_helper.to_array(bias)[order])

    return spoilt(members, folder, change)


def fixed(members: Members, folder: Path, draw: random.Random) -> Members:
    """Fix the batch axis of inputs and outputs."""
    batch = draw.choice((1, 2, 4))

    def change(model: onnx.ModelProto) -> None:
        for value in (*model.graph.input, *model.graph.output):
            value.type.tensor_type.shape.dim[0].dim_value = batch

    return spoilt(members, folder, change)


def normalised(members: Members, folder: Path, draw: random.Random) -> Members:
    """Divide brightness by another number."""
    divide = draw.choice((1.0, 127.5, 128.0, 254.0, 256.0))
    return line(members, "task.py", r"float32\(255\.0\)", f"float32({divide})")


def filtered(members: Members, folder: Path, draw: random.Random) -> Members:
    """Resize with another filter."""
    other = draw.choice([one for one in FILTERS if one != "bilinear"])
    return line(members, "task.py", r"Resampling\.BILINEAR", f"Resampling.{other.upper()}")


def narrowed(members: Members, folder: Path, draw: random.Random) -> Members:
    """Compute on float32 where the model takes float64."""
    where = draw.choice(
        (
            r"(?<=array = np\.asarray\(value\))\n",
            r"(?<=before = time\.perf_counter\(\))\n    return model\.run\(checked\)",
        )
    )
    if "asarray" in where:
        return line(members, "predict.py", where, '\n    array = array.astype("float32").astype(spec["dtype"])\n')
    narrow = '\n    checked = {name: one.astype("float32").astype("float64") for name, one in checked.items()}\n    return model.run(checked)'
    return line(members, "server.py", where, narrow)


def line(members: Members, member: str, before: str, after: str) -> Members:
    """Return the files with one place of a text changed. Raises ValueError where it is not there."""
    text, count = re.subn(before, lambda _: after, str(members[member]), count=1)
    if not count:
        raise ValueError(f"{member} has no {before}")
    return {**members, member: text}


KINDS: dict[str, tuple[Plant, str]] = {
    "head scaled": (scaled, r"\(head\) is scaled"),
    "classes swapped": (swapped, r"classes \d+ and \d+ are swapped"),
    "fixed batch axis": (fixed, r"batch axis is fixed"),
    "wrong normalisation": (normalised, r"Step 3, Scale"),
    "wrong resize filter": (filtered, r"Step 2, Resize"),
    "float32 for float64": (narrowed, r"computes in float32"),
}
"""By its name, what plants a fault, and what the reason of the gate that stops it says."""


def pictures(path: Path) -> Path:
    """Write clothes as PNG files of several sizes, in a folder for each class."""
    test = np.load(FASHION / "test.npz")
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(60):
            out = io.BytesIO()
            pixels = np.rint(test["x"][number, 0] * 255).astype(np.uint8)
            Image.fromarray(pixels).resize((35 + number % 7, 31)).save(out, "PNG")
            archive.writestr(f"{NAMES[int(test['y'][number])]}/{number}.png", out.getvalue())
    return path


def wide(path: Path) -> Path:
    """Write a network that takes and gives float64."""
    rng = np.random.default_rng(8)
    graph = onnx.parser.parse_graph("g (double[n, 6] x) => (double[n, 3] y) { m = MatMul(x, w)\n y = Tanh(m) }")
    graph.initializer.append(numpy_helper.from_array(rng.normal(0, 0.4, (6, 3)), "w"))
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def measure(kinds: list[str], seed: int, folder: Path, sandbox: Sandbox) -> list[dict[str, object]]:
    """Plant one fault of each name in ``kinds``, in order, and return what became of each."""
    tools = Tools(Blobs(folder / "blobs"), sandbox, lambda fraction, text: None, threading.Event(), Exports())
    draw, honest, found = random.Random(seed), package.members, []
    clothes = tools.blobs.put(pictures(folder / "clothes.zip"))
    data = Data(clothes.sha256, "clothes.zip", classes=NAMES, task=TASK)
    for kind in kinds:
        plant, named = KINDS[kind]
        double = kind == "float32 for float64"
        path = wide(folder / "wide.onnx") if double else FASHION / "model.onnx"
        blob = tools.blobs.put(path)
        asked = MigrateRequest(Subject(blob.sha256, blob.size, "onnx", path.name), "onnxruntime")
        package.members = lambda *given, plant=plant: plant(honest(*given), folder, draw)
        try:
            result = migrate.run(tools, replace(asked, data=data) if plant in (normalised, filtered) else asked)
        finally:
            package.members = honest
        found.append(judged(kind, named, result))
        print(json.dumps(found[-1]), file=sys.stderr)
    return found


def judged(kind: str, named: str, result: Migration) -> dict[str, object]:
    """Say whether a fault was stopped, by which gate first, and whether a gate names it."""
    failed = [gate for gate in result.gates if gate.verdict is Verdict.FAIL]
    reasons = " ".join(gate.reason for gate in failed)
    stopped = result.bundle is None and bool(failed)
    return {
        "kind": kind,
        "stopped": stopped,
        "named": bool(stopped and re.search(named, reasons)),
        "gate": failed[0].name if failed else "",
        "reason": failed[0].reason[:200] if failed else "",
    }


def main() -> None:
    """Plant as many of each kind, and print k of n."""
    count, seed = (
        int(sys.argv[place]) if len(sys.argv) > place else usual for place, usual in ((1, 30), (2, 20261201))
    )
    kinds = [list(KINDS)[place % len(KINDS)] for place in range(count)]
    with tempfile.TemporaryDirectory() as name, closing(Sandbox(Path(name) / "sandbox")) as sandbox:
        found = measure(kinds, seed, Path(name), sandbox)
    told = {
        kind: [sum(one["named"] is True for one in found if one["kind"] == kind), kinds.count(kind)] for kind in KINDS
    }
    print(json.dumps({"faults": count, "stopped": sum(one["stopped"] is True for one in found), "named": sum(one["named"] is True for one in found), "by kind": told}))  # fmt: skip


if __name__ == "__main__":
    main()
