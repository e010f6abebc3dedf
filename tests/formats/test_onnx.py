"""ONNX files that crash, hang or mislead native readers, refused by structure; and what honest ones tell."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from core.formats import FORMATS
from tests.formats.honest import linear_onnx
from tests.formats.verdict import refused

ONNX = FORMATS["onnx"]


def node(kind: str, given: list[str], gives: list[str], **attributes: Any) -> Any:
    return helper.make_node(kind, given, gives, **attributes)


def weight(**fields: Any) -> onnx.ModelProto:
    """A model whose weight has other fields than its data."""
    model = linear_onnx()
    tensor = model.graph.initializer[0]
    for name, value in fields.items():
        if name == "dims":
            del tensor.dims[:]
            tensor.dims.extend(value)
        else:
            setattr(tensor, name, value)
    return model


def external(**entries: str) -> onnx.ModelProto:
    model = weight(data_location=TensorProto.EXTERNAL)
    model.graph.initializer[0].ClearField("raw_data")
    for key, value in entries.items():
        model.graph.initializer[0].external_data.add(key=key, value=value)
    return model


def laughs(levels: int, width: int) -> onnx.ModelProto:
    """Functions that each call the next several times."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    functions = []
    for level in range(levels):
        last = level == levels - 1
        steps = [f"v{i}" for i in range(width)]
        body = [
            node("Identity" if last else f"f{level + 1}", [a], [b], domain="" if last else "own")
            for a, b in zip(["x", *steps[:-1]], [*steps[:-1], "y"], strict=True)
        ]
        functions.append(helper.make_function("own", f"f{level}", ["x"], ["y"], body, opsets))
    model = linear_onnx(nodes=[node("f0", ["x"], ["y"], domain="own")], opset_imports=opsets)
    model.functions.extend(functions)
    return model


def recursive() -> onnx.ModelProto:
    model = laughs(2, 2)
    model.functions[1].node[0].op_type, model.functions[1].node[0].domain = "f0", "own"
    return model


def deep(levels: int) -> onnx.ModelProto:
    graph = helper.make_graph(
        [node("Identity", ["x"], ["inner"])], "g", [], [helper.make_tensor_value_info("inner", 1, None)]
    )
    for level in range(levels):
        branch = node("If", ["c"], [f"o{level}"], then_branch=graph, else_branch=graph) if level < 4 else None
        loop = branch or node("Loop", ["m", "c"], [f"o{level}"], body=graph)
        graph = helper.make_graph([loop], "g", [], [helper.make_tensor_value_info(f"o{level}", 1, None)])
    return linear_onnx(nodes=list(graph.node))


def constant(**fields: Any) -> onnx.ModelProto:
    tensor = weight(**fields).graph.initializer[0]
    return linear_onnx(nodes=[node("Constant", [], ["k"], value=tensor), node("MatMul", ["x", "k"], ["y"])])


def sparse(dims: list[int]) -> onnx.ModelProto:
    values = numpy_helper.from_array(np.ones(1, np.float32), "s")
    model = linear_onnx()
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(values, numpy_helper.from_array(np.zeros(1, np.int64)), dims)
    )
    return model


HOSTILE: dict[str, Callable[[], onnx.ModelProto]] = {
    "negative dimension": lambda: weight(dims=[-4, -3]),
    "too few bytes": lambda: weight(dims=[4, 300]),
    "too many bytes": lambda: weight(dims=[1, 3]),
    "huge": lambda: weight(dims=[2**31, 2**31]),
    "many dimensions": lambda: weight(dims=[1] * 100),
    "unknown type": lambda: weight(data_type=99),
    "other type": lambda: weight(data_type=TensorProto.DOUBLE),
    "string as bytes": lambda: weight(data_type=TensorProto.STRING),
    "constant lies": lambda: constant(dims=[400, 3]),
    "constant negative": lambda: constant(dims=[-1, 12]),
    "sparse negative": lambda: sparse([-1, 4]),
    "external": lambda: external(location="model.data"),
    "external up": lambda: external(location="../../etc/passwd"),
    "external absolute": lambda: external(location="/etc/passwd"),
    "external device": lambda: external(location="/dev/zero", length=str(2**40)),
    "cycle": lambda: linear_onnx(
        nodes=[node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("MatMul", ["b", "w"], ["y"])]
    ),
    "self": lambda: linear_onnx(nodes=[node("Add", ["x", "y"], ["y"])]),
    "same name twice": lambda: linear_onnx(nodes=[node("Relu", ["x"], ["y"]), node("Abs", ["x"], ["y"])]),
    "laughs": lambda: laughs(9, 10),
    "deep laughs": lambda: laughs(300, 1),
    "recursion": recursive,
    "deep graphs": lambda: deep(20),
    "many nodes": lambda: linear_onnx(nodes=[node("Relu", ["x"], [f"y{i}"]) for i in range(50_001)]),
    "foreign domain": lambda: linear_onnx(nodes=[node("Shell", ["x"], ["y"], domain="my.ops")]),
    "python": lambda: linear_onnx(nodes=[node("PythonOp", ["x"], ["y"], domain="com.microsoft")]),
    "compiled blob": lambda: linear_onnx(nodes=[node("EPContext", ["x"], ["y"], domain="com.microsoft")]),
    "undefined function": lambda: linear_onnx(nodes=[node("f", ["x"], ["y"], domain="own")]),
    "opset below zero": lambda: linear_onnx(opset_imports=[helper.make_opsetid("", -1)]),
    "opset of 64 bits": lambda: linear_onnx(opset_imports=[helper.make_opsetid("", 2**53)]),
    "empty graph": lambda: onnx.ModelProto(ir_version=8, graph=onnx.GraphProto(name="g")),
    "foreign domain inside": lambda: linear_onnx(nodes=[inner_foreign()]),
}


def inner_foreign() -> Any:
    graph = helper.make_graph(
        [node("Shell", ["x"], ["i"], domain="my.ops")], "g", [], [helper.make_tensor_value_info("i", 1, None)]
    )
    return node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_model_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(HOSTILE[kind]().SerializeToString())
    assert refused(path)


RAW: dict[str, Callable[[bytes], bytes]] = {
    "two graphs": lambda data: data + b"\x3a\x00",
    "longer than the file": lambda data: data.replace(b"\x3a", b"\x3a\xff\xff\xff\xff\x07", 1),
    "endless number": lambda data: data + b"\x08" + b"\xff" * 12,
    "field zero": lambda data: data + b"\x02\x01x",
    "group": lambda data: data + b"\x0b\x0c",
    "not a model": lambda data: b"\x08\x08" + b"\x3a\x04" + b"abcd",
}


@pytest.mark.parametrize("kind", RAW)
def test_broken_bytes_are_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(RAW[kind](linear_onnx().SerializeToString()))
    assert refused(path)


def test_a_weight_with_its_data_twice_is_refused(tmp_path: Path) -> None:
    model = linear_onnx(np.ones((40, 30), np.float32))
    model.graph.initializer[0].float_data.extend([0.0] * 1200)
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    assert "twice" in refused(path)


def honest_models() -> dict[str, onnx.ModelProto]:
    typed = linear_onnx(initializers=[helper.make_tensor("w", TensorProto.FLOAT, [4, 3], np.arange(12.0))])
    halves = helper.make_tensor("h", TensorProto.FLOAT16, [300], np.ones(300, np.float16).view(np.uint16), raw=False)
    nibbles = helper.make_tensor("n", TensorProto.INT4, [3], [1, 2, 3])
    words = helper.make_tensor("s", TensorProto.STRING, [2], [b"a", b"b"])
    empty = numpy_helper.from_array(np.zeros((0, 3), np.float32), "e")
    more = linear_onnx(
        initializers=[numpy_helper.from_array(np.ones((4, 3), np.float32), "w"), halves, nibbles, words, empty]
    )
    unsorted = linear_onnx(nodes=[node("Relu", ["a"], ["y"]), node("MatMul", ["x", "w"], ["a"])])
    return {
        "typed": typed,
        "kinds": more,
        "unsorted": unsorted,
        "functions": laughs(3, 4),
        "constant": constant(),
        "nested": deep(3),
        "sparse": sparse([4, 4]),
    }


@pytest.mark.parametrize("kind", honest_models())
def test_an_honest_model_is_taken(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(honest_models()[kind].SerializeToString())
    assert not refused(path)
    assert ONNX.inspect(path).operators
    assert ONNX.graph(path, tmp_path / "graph")


def test_the_summary_tells_what_the_model_holds(tmp_path: Path) -> None:
    weights = np.zeros((4, 3), np.float32)
    weights[0] = 1
    onnx.save(linear_onnx(weights), tmp_path / "m.onnx")
    summary = ONNX.inspect(tmp_path / "m.onnx")
    assert summary.parameters == 12
    assert summary.sparsity == 0.75
    assert summary.precision == "float32"
    assert summary.operators == {"MatMul": 1}
    assert (summary.producer, summary.opset, summary.dependencies) == ("tests", 17, ("ai.onnx 17",))
    assert summary.signature.inputs[0].shape == ("batch", 4)


def test_weights_in_constants_and_large_weights_are_counted(tmp_path: Path) -> None:
    tensor = numpy_helper.from_array(np.ones((4, 1000), np.float32))
    nodes = [
        node("Constant", [], ["k"], value=tensor),
        node("MatMul", ["x", "k"], ["z"]),
        node("MatMul", ["z", "w"], ["y"]),
    ]
    model = linear_onnx(np.ones((1000, 3), np.float32), nodes=nodes)
    onnx.save(model, tmp_path / "m.onnx")
    summary = ONNX.inspect(tmp_path / "m.onnx")
    assert summary.parameters == 7000
    assert summary.sparsity == 0.0
    ONNX.graph(tmp_path / "m.onnx", tmp_path / "g.onnx")
    drawn = onnx.load(tmp_path / "g.onnx", load_external_data=False)
    assert (tmp_path / "g.onnx").stat().st_size < 1000
    assert [n.op_type for n in drawn.graph.node] == ["Constant", "MatMul", "MatMul"]


def test_shares_of_precision_are_told(tmp_path: Path) -> None:
    both = [
        numpy_helper.from_array(np.ones((4, 3), np.float32), "w"),
        numpy_helper.from_array(np.ones(36, np.int8), "q"),
    ]
    onnx.save(linear_onnx(initializers=both), tmp_path / "m.onnx")
    assert ONNX.inspect(tmp_path / "m.onnx").precision == "int8 75 %, float32 25 %"


@pytest.mark.slow
def test_a_large_model_is_inspected_in_little_memory(tmp_path: Path) -> None:
    import subprocess
    import sys

    onnx.save(linear_onnx(np.ones((4, 30_000_000), np.float32)), tmp_path / "m.onnx")
    code = (
        "import pathlib, re, time; from core.formats import FORMATS; f = FORMATS['onnx']; p = pathlib.Path('m.onnx'); t = time.time();"
        "print(f.audit(p), f.inspect(p).parameters, f.graph(p, pathlib.Path('g')));"
        "assert time.time() - t < 8; peak = re.search(r'VmHWM:\\s+(\\d+)', pathlib.Path('/proc/self/status').read_text())[1]; assert int(peak) < 400_000, peak"
    )
    here = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": here}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "120000000 True" in done.stdout


def test_what_only_fills_is_no_weight(tmp_path: Path) -> None:
    fill = numpy_helper.from_array(np.ones(1, np.float32))
    nodes = [
        node("MatMul", ["x", "w"], ["a"]),
        node("Shape", ["a"], ["s"]),
        node("ConstantOfShape", ["s"], ["b"], value=fill),
        node("Add", ["a", "b"], ["y"]),
    ]
    onnx.save(linear_onnx(nodes=nodes), tmp_path / "m.onnx")
    assert ONNX.inspect(tmp_path / "m.onnx").parameters == 12


def test_entries_and_documentation_are_told_within_bounds(tmp_path: Path) -> None:
    model = linear_onnx(doc_string="what it is for")
    for place in range(300):
        model.metadata_props.add(key=f"{place} {'k' * 500}", value="v" * 10_000)
    onnx.save(model, tmp_path / "m.onnx")
    told = ONNX.inspect(tmp_path / "m.onnx").notes["metadata"]
    assert isinstance(told, dict)
    assert told["doc_string"] == "what it is for"
    assert len(told) == 200
    assert max(len(key) for key in told) == 80
    assert max(len(str(value)) for value in told.values()) == 200
