"""Up to which whole numbers each target's engine keeps what a graph says: asked of the engines, operator by operator.

``python -m benchmarks.narrowing FILE`` writes the page. An ONNX graph of one operator is led to each target that can run
here by the converters as they are, and answers what lies below, on and beyond each limit that a type has (IEEE 754: halves
hold 11 bits, floats 24, doubles 53; integers of 8, 16, 31, 32 bits). The right answers are NumPy's, in the type of the graph.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from core.converters import route, unavailable
from core.domain.errors import PortolanError
from core.domain.runtime import Session
from core.domain.transform import parse_options
from core.proof.parity import feed
from core.runtimes import cannot_run, runtime_for

TARGETS = ("onnx", "ort", "openvino", "torch_export", "torchscript", "litert", "executorch", "ncnn")
LIMITS = (7, 8, 11, 15, 16, 24, 31, 32, 53, 62)
"""The powers of two around which is asked."""
TYPES = {"int32": TensorProto.INT32, "int64": TensorProto.INT64, "float64": TensorProto.DOUBLE}
COLUMNS = 3
"""The numbers of one row: one below a limit, on it and one beyond."""


@dataclass(frozen=True)
class Asked:
    """One operator with its attributes, its second input where it has one, and what it gives by NumPy."""

    operator: str
    right: Callable[[np.ndarray, np.ndarray], np.ndarray]
    second: Callable[[np.ndarray], np.ndarray] | None = None
    truths: bool = False

    def model(self, dtype: str) -> onnx.ModelProto:
        """Return the graph of the operator over rows of three numbers of a type."""
        names = ["x", "second"] if self.second else ["x"]
        given = [helper.make_tensor_value_info(name, TYPES[dtype], ["rows", COLUMNS]) for name in names]
        outer = helper.make_tensor_value_info("y", TensorProto.BOOL if self.truths else TYPES[dtype], None)
        node = helper.make_node(self.operator, names, ["y"])
        graph = helper.make_graph([node], "asked", given, [outer])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _beside(x: np.ndarray) -> np.ndarray:
    """Return the neighbours of numbers: what a comparison must tell apart."""
    return x + np.ones((), x.dtype)


def _small(x: np.ndarray) -> np.ndarray:
    return np.full_like(x, 3)


def _two(x: np.ndarray) -> np.ndarray:
    return np.full_like(x, 2)


ASKED = (
    Asked("Identity", lambda x, _: x),
    Asked("Neg", lambda x, _: -x),
    Asked("Add", np.add, _small),
    Asked("Sub", np.subtract, _small),
    Asked("Mul", np.multiply, np.ones_like),
    Asked("Div", lambda x, by: x // by if x.dtype.kind == "i" else x / by, _two),
    Asked("Max", np.maximum, _beside),
    Asked("Less", np.less, _beside, truths=True),
    Asked("Equal", np.equal, _beside, truths=True),
    Asked("ReduceMax", lambda x, _: x.max(keepdims=True)),
    Asked("ReduceSum", lambda x, _: x.sum(keepdims=True)),
)


def numbers(limit: int, dtype: str) -> np.ndarray | None:
    """Return one row around two to the power of ``limit`` in a type; None where the type does not hold it, or one of the answers."""
    if limit >= {"int32": 31, "int64": 62, "float64": 53}[dtype]:
        return None
    return np.array([[2**limit - 1, 2**limit, 2**limit + 1]]).astype(dtype)


def kept(session: Session, asked: Asked, dtype: str) -> int | None:
    """Return the first limit around which the answers are wrong or refused, or None where all are right."""
    for limit in LIMITS:
        if (row := numbers(limit, dtype)) is None:
            return None
        second = asked.second(row) if asked.second else row
        given = {"x": row, **({"second": second} if asked.second else {})}
        try:
            answer = next(iter(session.run(feed(session, given)).values()))
        except PortolanError:
            return limit
        if not np.array_equal(np.asarray(answer), asked.right(row, second)):
            return limit
    return None


def ask(asked: Asked, dtype: str, target: str, folder: Path) -> str:
    """Lead one graph to a target and return in words what its engine keeps; "refused" where the converters or the engine do."""
    place = folder / "model.onnx"
    onnx.save(asked.model(dtype), place)
    try:
        for number, converter in enumerate(() if target == "onnx" else route("onnx", target)):
            out = folder / f"step{number}{converter.suffix}"
            converter.convert(place, out, parse_options(converter.Options, {}))
            place = out
        first = kept(runtime_for(target).open(place, target), asked, dtype)
    except PortolanError:
        return "refused"
    return "all" if first is None else "none" if first == LIMITS[0] else f"below 2^{first}"


def rows(target: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each operator with what a target keeps of it by type."""
    for asked in ASKED:
        with tempfile.TemporaryDirectory() as folder:
            yield asked.operator, [ask(asked, dtype, target, Path(folder)) for dtype in TYPES]


def ready(target: str) -> str | None:
    """Return why a target cannot be asked here, or None."""
    return cannot_run(target) or (None if target == "onnx" else unavailable(route("onnx", target)))


def table(target: str) -> Iterator[str]:
    """Yield the lines of one target's table."""
    packages = ", ".join(f"{name} {version(name)}" for name in runtime_for(target).packages)
    yield from (f"## {runtime_for(target).title}: `{target}`", "", f"{packages}.", "")
    yield from (f"| operator | {' | '.join(TYPES)} |", "|---|" + "---|" * len(TYPES))
    for operator, cells in rows(target):
        yield f"| {operator} | {' | '.join(cells)} |"
    yield ""


def main() -> None:
    """Write the page to the file that the command line names."""
    lines = [
        "# What each target narrows",
        "",
        "Whole numbers up to which each engine gives the answer that the graph says, by operator and type of the input.",
        "`python -m benchmarks.narrowing docs/narrowing.md` asked the engines with the converters as they are; nothing here is from their documentation.",
        "*all* are the limits that the type itself has (31, 62 and 53 bits); *none* is wrong or refused around 2^7 already; *refused* is what a converter does not take.",
        "Where values of a graph can be beyond, the proof's samples go there (`core/proof/directed.py`), and the verdict names the bound.",
        "",
    ]
    for target in TARGETS:
        if reason := ready(target):
            lines += [f"## `{target}`", "", f"Not asked: {reason}", ""]
        else:
            lines += table(target)
    Path(sys.argv[1]).write_text("\n".join(lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
