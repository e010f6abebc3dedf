"""Every one-operator model of a folder of ONNX test data through the real parts: audit, probe, convert, audit, compare.

``python -m benchmarks.one_operator FOLDER [PART]`` takes the folder of Debian's libonnx-testdata (its ``data``), and a part
of a name to take only some. The models go to jailed children in batches, and one by one where a batch brings its child
down. They bring their own inputs and answers, which no proof sees: with them the study looks for a PASS that is wrong.
One JSON object on stdout.
"""

import json
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from core.calls import inspect, self_test
from core.calls.call import Call, Here
from core.domain.codec import encode
from core.domain.errors import PortolanError, from_trouble
from core.domain.limits import Limits
from core.domain.recipe import Step
from core.doors import worker
from core.sandbox import Sandbox

OPSET = 21
WAYS = (Step("onnx_to_openvino"), Step("onnx_to_onnx", {"opset": OPSET}))
LIMITS = Limits(wall_seconds=300, cpu_seconds=120, memory_mb=3000, file_mb=512)
CLOSE = {"rtol": 1e-3, "atol": 1e-4}
CHILDREN, BATCH = 2, 32
Row = dict[str, dict[str, Any]]
"""By way, how one model ended, in words."""


@dataclass(frozen=True)
class Request:
    """How many models lie in ``in/``, as ``0-model.onnx``, ``1-model.onnx`` ..., and the ways that each is taken."""

    models: int
    ways: tuple[Step, ...]


def study(request: Request, here: Here) -> dict[str, Row]:
    """Take each model all the ways; the answer is how each ended, in words."""
    return {str(number): studied(number, request.ways, here) for number in range(request.models)}


STUDY = Call("study", Request, dict[str, Row], study)


def serve() -> NoReturn:
    """Serve one study as a child of the sandbox, or its self-test."""
    worker.main({call.name: call.serve for call in (STUDY, self_test.CALL)}, worker.PRELOAD)


def studied(number: int, ways: tuple[Step, ...], here: Here) -> Row:
    """Take one model all the ways."""
    from core.proof import probes
    from core.runtimes import runtime_for

    try:
        source = admitted(Path(f"in/{number}-model.onnx"), here)
        session = opened(source, "onnx")
        probes.record(session, 7, None, Path("out/golden.npz"), "", runtime_for("onnx").landmarks(source, "onnx"))
    except Exception as error:
        return {way.transform: ended(error, "source") for way in ways}
    own = given(number)
    return {way.transform: taken(way, source, session, own, here) for way in ways}


def admitted(path: Path, here: Here) -> Path:
    """Recognise, audit and inspect a file as the border does. Raises Refused."""
    found = inspect.inspected(path, path.name, Path("out/graph.onnx"), here)
    if found.trouble:
        raise from_trouble(found.trouble)
    return path


def opened(path: Path, format: str) -> Any:
    """Open a file in its runtime."""
    from core.runtimes import runtime_for

    return runtime_for(format).open(path, format)


def taken(way: Step, source: Path, session: Any, own: tuple[list[Any], list[Any]], here: Here) -> dict[str, Any]:
    """Convert, audit and compare, and hold the answers against those that the model brought."""
    from core.converters import CONVERTERS
    from core.domain.transform import parse_options
    from core.proof import parity

    converter = CONVERTERS[way.transform]
    out = Path(f"out/{converter.id}{converter.suffix}")
    try:
        converter.convert(source, out, parse_options(converter.Options, way.options))
    except Exception as error:
        return ended(error, "convert")
    try:
        target = opened(admitted(out, here), converter.target)
        found = parity.compare(target, Path("out/golden.npz"), converter.tolerance, 7)
    except Exception as error:
        return ended(error, "compare")
    agree = {name: agrees(one, *own) for name, one in (("source", session), ("target", target))}
    return {"ended": str(found.verdict), "words": found.reason, "max_abs": str(found.max_abs), "own_data": agree}


def ended(error: Exception, where: str) -> dict[str, Any]:
    """Tell a refusal in words from an accident."""
    if isinstance(error, PortolanError):
        return {"ended": "refused", "where": where, "words": f"{error.message} {error.next_step}"}
    return {"ended": "accident", "where": where, "words": f"{type(error).__name__}: {error}"[:400]}


def given(number: int) -> tuple[list[Any], list[Any]]:
    """Read the inputs and answers that came with the model; what is no plain tensor ends the list."""
    import onnx

    sides: list[list[Any]] = [[], []]
    for side, name in zip(sides, ("input", "output"), strict=True):
        while (path := Path(f"in/{number}-{name}_{len(side)}.pb")).exists():
            try:
                tensor = onnx.TensorProto.FromString(path.read_bytes())
                side.append(onnx.numpy_helper.to_array(tensor))
            except Exception:
                return [], []
    return sides[0], sides[1]


def agrees(session: Any, inputs: list[Any], expected: list[Any]) -> bool | None:
    """Say whether a session gives the expected answers; None where it cannot be asked."""
    specs = session.signature.inputs
    if len(specs) != len(inputs) or not expected:
        return None
    try:
        feed = {s.name: v.astype(np.str_ if s.dtype == "str" else s.dtype) for s, v in zip(specs, inputs, strict=True)}
        answers = list(session.run(feed).values())
    except Exception:
        return None
    return all(map(alike, expected, answers)) and len(answers) == len(expected)


def alike(a: Any, b: Any) -> bool:
    """Compare two arrays within rounding; text and whole numbers exactly."""
    if a.shape != b.shape:
        return False
    if a.dtype.kind == "f" and b.dtype.kind == "f":
        return bool(np.allclose(a.astype(np.float64), b.astype(np.float64), equal_nan=True, **CLOSE))
    return bool((a.astype(np.str_) == b.astype(np.str_)).all()) if a.dtype.kind in "OSU" else bool((a == b).all())


def batch(box: Sandbox, folders: list[Path], ways: tuple[Step, ...]) -> list[Row]:
    """Send models to a child, and again one by one when it does not come back."""
    files = {f"{n}-model.onnx": folder / "model.onnx" for n, folder in enumerate(folders)}
    files |= {f"{n}-{p.name}": p for n, folder in enumerate(folders) for p in folder.glob("test_data_set_0/*.pb")}
    try:
        with box.run(STUDY.name, encode(Request(len(folders), ways)), files, LIMITS) as done:
            return [done.value[str(n)] for n in range(len(folders))]
    except PortolanError as error:
        if len(folders) > 1:
            return [row for folder in folders for row in batch(box, [folder], ways)]
        return [{way.transform: {"ended": "child: " + error.kind, "words": error.message} for way in ways}]


def main(folder: Path, part: str, ways: tuple[Step, ...] = WAYS) -> dict[str, Any]:
    """Take every model, and count how they end; wrong is one whose source gives the model's own answers and whose target does not."""
    models = sorted(path.parent for path in folder.rglob("model.onnx") if part in str(path))
    batches = [models[start : start + BATCH] for start in range(0, len(models), BATCH)]
    with (
        tempfile.TemporaryDirectory() as scratch,
        closing(Sandbox(Path(scratch), "benchmarks.one_operator")) as box,
        ThreadPoolExecutor(CHILDREN) as pool,
    ):
        found = [row for rows in pool.map(lambda some: batch(box, some, ways), batches) for row in rows]
    names = {str(path.relative_to(folder)): row for path, row in zip(models, found, strict=True)}
    ids = [way.transform for way in ways]
    counts = {way: Counter(row[way]["ended"] for row in names.values()) for way in ids}
    wrong = {
        verdict: {way: [name for name, row in names.items() if is_wrong(row[way], verdict)] for way in ids}
        for verdict in ("PASS", "NOT PROVEN")
    }
    return {"models": len(models), "opset": OPSET, "counts": counts, "wrong": wrong, "rows": names}


def is_wrong(row: dict[str, Any], verdict: str) -> bool:
    """Say whether a result with this verdict gives other answers than its source on the model's own data."""
    own = row.get("own_data", {})
    return row["ended"] == verdict and own.get("source") is True and own.get("target") is False


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[2].isdecimal():
        serve()
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")))
