"""Exported programs that run code when torch loads them, in the ways known to us; each is refused as text."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from core.domain.errors import Refused
from core.formats import FORMATS
from core.formats.anatomy.expressions import check_expression, check_guard, readable
from tests.formats.honest import Net
from tests.formats.verdict import refused
from tests.test_pickles import SHELL, Calls

EXPORT = FORMATS["torch_export"]
PROGRAM = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"


def changed(
    source: Path, out: Path, change: Callable[[dict[str, Any]], None], member: str = PROGRAM, **files: bytes
) -> Path:
    """Write a copy of a program with its JSON changed, and members added or replaced (``a__b`` is ``a/b``)."""
    added = {name.replace("__", "/").replace("_DOT_", "."): data for name, data in files.items()}
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            inner = info.filename.partition("/")[2]
            data = old.read(info.filename)
            if inner == member:
                content = json.loads(data)
                change(content)
                data = json.dumps(content).encode()
            new.writestr(info.filename, added.pop(inner, data))
        for name, data in added.items():
            new.writestr(f"net/{name}", data)
    return out


def nodes(program: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = program["graph_module"]["graph"]["nodes"]
    return found


def symbol(program: dict[str, Any], text: str) -> None:
    program["graph_module"]["graph"]["tensor_values"]["x"]["sizes"][0]["as_expr"]["expr_str"] = text


def structure(program: dict[str, Any], spec: dict[str, Any]) -> None:
    program["graph_module"]["module_call_graph"][0]["signature"]["in_spec"] = json.dumps([1, spec])


def rename(program: dict[str, Any], name: str) -> None:
    graph = program["graph_module"]["graph"]
    graph["inputs"][-1]["as_tensor"]["name"] = name
    graph["tensor_values"][name] = graph["tensor_values"].pop("x")
    graph["nodes"][0]["inputs"][0]["arg"]["as_tensor"]["name"] = name


PROGRAMS: dict[str, Callable[[dict[str, Any]], None]] = {
    "expression": lambda p: symbol(p, "__import__('os').system('touch canary')"),
    "expression by attribute": lambda p: symbol(p, "().__class__.__base__.__subclasses__()"),
    "expression by lambda": lambda p: symbol(p, "(lambda: 1)()"),
    "expression by name": lambda p: symbol(p, "eval('1')"),
    "expression with factorial": lambda p: symbol(p, "99999999!"),
    "expression that grows": lambda p: symbol(p, "9**9**9**9"),
    "symbol with code": lambda p: symbol(p, "Symbol('__import__(\"os\")')"),
    "range": lambda p: p["range_constraints"].update({"eval('1')": {"min_val": 0, "max_val": 1}}),
    "guard": lambda p: p.update(guards_code=["__import__('os').system('touch canary')"]),
    "guard in quotes": lambda p: p.update(guards_code=["L[\"'\\\") or __import__('os') #\"] == 1"]),
    "structure imports": lambda p: structure(
        p,
        {
            "type": "collections.defaultdict",
            "context": {"default_factory_module": "antigravity", "default_factory_name": "x", "dict_context": []},
            "children_spec": [],
        },
    ),
    "structure of a class": lambda p: structure(p, {"type": "my.Class", "context": "null", "children_spec": []}),
    "key with quotes": lambda p: structure(
        p, {"type": "builtins.dict", "context": '["a\'] + b"]', "children_spec": []}
    ),
    "argument name": lambda p: p["graph_module"]["module_call_graph"][0]["signature"].update(
        forward_arg_names=["x=exec('1')"]
    ),
    "placeholder name": lambda p: rename(p, "x=__import__('os').system('touch canary')"),
    "target": lambda p: nodes(p)[0].update(target="torch.ops.load_library"),
    "target torch.load": lambda p: nodes(p)[0].update(target="torch.load"),
    "target hub": lambda p: nodes(p)[0].update(target="torch.hub.load"),
    "target os": lambda p: nodes(p)[0].update(target="torch.os.system"),
    "target methodcaller": lambda p: nodes(p)[0].update(target="_operator.methodcaller"),
    "target of files": lambda p: nodes(p)[0].update(target="torch.ops.aten.from_file.default"),
    "target of a plugin": lambda p: nodes(p)[0].update(target="torch.ops.mine.run.default"),
    "target triton": lambda p: nodes(p)[0].update(target="torch.ops.higher_order.triton_kernel_wrapper_functional"),
    "extension": lambda p: nodes(p)[0].update(target="#mine:run"),
    "operator as argument": lambda p: nodes(p)[0]["inputs"][0].update(arg={"as_operator": "torch.load"}),
    "custom object": lambda p: nodes(p)[0]["inputs"][0].update(arg={"as_custom_obj": {"name": "a", "class_fqn": "b"}}),
    "notes with a line end": lambda p: nodes(p)[0]["metadata"].update(
        stack_trace='File "a", line 1, in f\n    x\rimport os'
    ),
    "named tuples": lambda p: p["graph_module"].update(treespec_namedtuple_fields={"a.B": {"field_names": ["x"]}}),
    "old schema": lambda p: p["schema_version"].update(major=7),
    "number as text": lambda p: nodes(p)[0].update(target=7),
    "no graph": lambda p: p.pop("graph_module") and None,
}


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_hostile_program_is_refused(kind: str, honest: dict[str, Path], tmp_path: Path) -> None:
    assert refused(changed(honest["net.pt2"], tmp_path / "net.pt2", PROGRAMS[kind]))


def payload() -> bytes:
    """A file of torch.save that calls the shell."""
    out = io.BytesIO()
    torch.save((Calls(__import__("os").system, SHELL),), out)
    return out.getvalue()


def first(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(iter(config["config"].values()))
    return found


WEIGHT_LIES: dict[str, Callable[[dict[str, Any]], None]] = {
    "pickled": lambda c: first(c).update(use_pickle=True),
    "path": lambda c: first(c).update(path_name="../../models/model.json"),
    "custom object": lambda c: first(c).update(path_name="custom_obj_0"),
    "larger": lambda c: first(c)["tensor_meta"]["sizes"][0].update(as_int=4000),
    "negative": lambda c: first(c)["tensor_meta"]["sizes"][0].update(as_int=-4),
    "stride": lambda c: first(c)["tensor_meta"]["strides"][0].update(as_int=10**9),
    "offset": lambda c: first(c)["tensor_meta"]["storage_offset"].update(as_int=1),
    "sparse": lambda c: first(c)["tensor_meta"].update(layout=1),
    "no description": lambda c: first(c).update(tensor_meta=None),
    "symbol": lambda c: first(c)["tensor_meta"]["sizes"].__setitem__(0, {"as_expr": {"expr_str": "s0", "hint": None}}),
    "name": lambda c: c["config"].update({"a'+exec('1')": first(c)}),
}


@pytest.mark.parametrize("kind", WEIGHT_LIES)
def test_a_lying_weight_is_refused(kind: str, honest: dict[str, Path], tmp_path: Path) -> None:
    assert refused(changed(honest["net.pt2"], tmp_path / "net.pt2", WEIGHT_LIES[kind], WEIGHTS))


FILES: dict[str, dict[str, bytes]] = {
    "sample inputs that run": {"data__sample_inputs__model_DOT_pt": payload()},
    "sample inputs as a bare pickle": {"data__sample_inputs__model_DOT_pt": pickle.dumps((1,))},
    "library": {"data__aotinductor__model__a_DOT_so": b"\x7fELF"},
    "pickled constant": {"data__constants__opaque_obj_0": payload()},
    "torchbind": {"data__constants__custom_obj_0": b"x"},
    "second program": {"models__other_DOT_json": b"{}"},
    "legacy weights": {"data__weights__model_DOT_pt": payload()},
    "empty weight": {"data__weights__weight_0": b""},
    "deep JSON": {"models__model_DOT_json": b"[" * 200_000 + b"]" * 200_000},
    "no JSON": {"models__model_DOT_json": b"\xff\xfe"},
}


@pytest.mark.parametrize("kind", FILES)
def test_a_hostile_member_is_refused(kind: str, honest: dict[str, Path], tmp_path: Path) -> None:
    assert refused(changed(honest["net.pt2"], tmp_path / "net.pt2", lambda p: None, "none", **FILES[kind]))


def test_the_old_layout_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "old.pt2", "w") as archive:
        archive.writestr("serialized_exported_program.json", "{}")
        archive.writestr("serialized_state_dict.pt", payload())
    assert "before 2.8" in refused(tmp_path / "old.pt2")


def test_the_summary_comes_from_the_json(honest: dict[str, Path]) -> None:
    summary = EXPORT.inspect(honest["net.pt2"])
    assert summary.parameters == sum(p.numel() for p in Net().parameters())
    assert summary.signature.inputs[0].name == "x"
    assert summary.signature.inputs[0].shape is not None
    assert summary.signature.inputs[0].shape[1:] == (1, 8, 8)
    assert isinstance(summary.signature.inputs[0].shape[0], str)
    assert summary.operators is not None
    assert summary.operators["aten.conv2d"] == 1
    assert summary.producer is not None
    assert summary.producer.startswith("torch 2.")


def test_the_graph_has_the_operators_of_torch(honest: dict[str, Path], tmp_path: Path) -> None:
    import onnx

    EXPORT.graph(honest["net.pt2"], tmp_path / "graph.onnx")
    drawn = onnx.load(tmp_path / "graph.onnx", load_external_data=False)
    assert "conv2d" in [node.op_type for node in drawn.graph.node]
    assert (tmp_path / "graph.onnx").stat().st_size < 20_000


class Tricky(torch.nn.Module):
    """Shapes that are computed, a branch, and a dict of answers."""

    def forward(self, x: torch.Tensor, *, scale: torch.Tensor) -> dict[str, torch.Tensor]:
        wide = torch.cat([x, x], 0).reshape(-1, x.shape[1] * 2)
        chosen = torch.cond(scale.sum() > 0, lambda a: a * 2, lambda a: a - 1, (x,))
        return {"wide": wide, "chosen": chosen}


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")
def test_programs_with_symbols_branches_and_names_are_taken(tmp_path: Path) -> None:
    rows, columns = torch.export.Dim("rows", min=2, max=50), torch.export.Dim("columns", min=2, max=50)
    shapes = {"x": {0: rows, 1: columns}, "scale": None}
    program = torch.export.export(Tricky(), (torch.randn(4, 6),), {"scale": torch.ones(1)}, dynamic_shapes=shapes)
    for name, made in (("plain.pt2", program), ("core.pt2", program.run_decompositions())):
        torch.export.save(made, tmp_path / name)
        assert not refused(tmp_path / name)
        assert [spec.name for spec in EXPORT.inspect(tmp_path / name).signature.outputs] == ["wide", "chosen"]


@pytest.mark.parametrize(
    "text",
    [
        "s0",
        "2*s77 + 1",
        "Mul(Integer(2), Symbol('s0', positive=True, integer=True))",
        "Max(1, FloorDiv(s0, 2))",
        "s0**2",
        "Pow(Symbol('s1', integer=True), Integer(-1))",
    ],
)
def test_arithmetic_is_taken(text: str) -> None:
    check_expression(text)


def test_a_symbol_is_written_as_people_do() -> None:
    assert readable("Add(Mul(Integer(2), Symbol('s0', positive=True, integer=True)), Integer(1))") == "2*s0 + 1"


@pytest.mark.parametrize(
    "text", ["L['x'].size()[0] == 3", "L['x'].size()[1] % 8 == 0 and L['args'][0].size()[0] <= 64"]
)
def test_honest_guards_are_taken(text: str) -> None:
    check_guard(text)


@pytest.mark.parametrize(
    "text",
    ["L['x'].__class__", "open('x')", "L['x'].size().__len__()", "[1 for x in L]", 'L["a\'b"] == 1', "s0\n", "f(x=1)"],
)
def test_other_guards_are_refused(text: str) -> None:
    with pytest.raises(Refused):
        check_guard(text)
