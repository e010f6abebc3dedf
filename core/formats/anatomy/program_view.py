"""What an exported torch program says of itself: signature, operators, and an ONNX-shaped drawing of its graph."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from core.domain.artifact import Dim, Signature, TensorSpec
from core.formats.anatomy.drawing import value_info, weight
from core.formats.anatomy.expressions import readable
from core.formats.anatomy.findings import JsonObject, parse_json
from core.formats.anatomy.program import DTYPES, nodes

if TYPE_CHECKING:
    import onnx

MAX_DRAWN = 20_000
PACKAGES = {"torchvision": "torchvision", "quantized_decomposed": "torch.ao"}


def signature(program: JsonObject) -> Signature:
    """Return the user's inputs and outputs; a free first dimension is the batch, others keep the program's symbols."""
    module = program["graph_module"]
    graph = module["graph"]
    inputs = [spec for spec in (_spec(arg, graph) for arg in _arguments(module, "input")) if spec]
    outputs = [spec for spec in (_spec(arg, graph) for arg in _arguments(module, "output")) if spec]
    symbol = inputs[0].shape[0] if inputs and inputs[0].shape else None
    named = _renamed(outputs, _output_names(module))
    return Signature(tuple(_batched(inputs, symbol)), tuple(_batched(named, symbol)))


def operators(graph: JsonObject) -> dict[str, int]:
    """Count the operators, those in inner graphs included, by namespace and name."""
    return dict(Counter(_short(node["target"]) for node in nodes(graph)).most_common())


def packages(graph: JsonObject) -> tuple[str, ...]:
    """Return the packages beside torch that the operators come from."""
    spaces = {node["target"].split(".")[2] for node in nodes(graph) if node["target"].startswith("torch.ops.")}
    return tuple(sorted(PACKAGES[space] for space in spaces & PACKAGES.keys()))


def devices(program: JsonObject) -> set[str]:
    """Return the devices on which the program's tensors lived."""
    values = program["graph_module"]["graph"]["tensor_values"].values()
    return {str(value["device"]["type"]) for value in values}


def drawing(program: JsonObject) -> bytes:
    """Return the graph as an ONNX model without weights, whose operators are torch's: for a viewer, not for running."""
    from onnx import helper

    module = program["graph_module"]
    graph = module["graph"]
    sides = signature(program)
    model = helper.make_model(
        helper.make_graph(
            [_node(node) for node in graph["nodes"][:MAX_DRAWN]],
            "exported program",
            [value_info(_tensor(name, graph)) for name in _tensor_names(module, "input")],
            [value_info(_tensor(name, graph)) for name in _tensor_names(module, "output")],
            list(_weights(module)),
        ),
        producer_name=f"torch {program.get('torch_version', '')}"[:60].strip(),
        opset_imports=[helper.make_opsetid(space, 1) for space in ("torch", "aten")],
        ir_version=10,
    )
    model.doc_string = ", ".join(f"{s.name}: {s.dtype} {list(s.shape or ())}" for s in sides.inputs)[:500]
    return bytes(model.SerializeToString())


def _spec(arg: JsonObject, graph: JsonObject) -> TensorSpec | None:
    if "as_tensor" in arg:
        return _tensor(arg["as_tensor"]["name"], graph)
    if "as_sym_int" in arg:
        return TensorSpec(str(arg["as_sym_int"].get("as_name", "number")), "int64", ())
    return None


def _dim(size: JsonObject) -> Dim:
    return int(size["as_int"]) if "as_int" in size else readable(size["as_expr"]["expr_str"])[:80]


def _output_names(module: JsonObject) -> list[str]:
    """Return the keys of a program that returns a flat dict."""
    for call in module["module_call_graph"]:
        if call["fqn"] == "" and call.get("signature"):
            spec = parse_json(call["signature"]["out_spec"].encode(), "The structure")[1]
            if spec["type"] in ("builtins.dict", "collections.OrderedDict"):
                return [str(key) for key in parse_json(spec["context"].encode(), "The structure")]
    return []


def _renamed(specs: list[TensorSpec], names: list[str]) -> Iterator[TensorSpec]:
    for place, spec in enumerate(specs):
        yield TensorSpec(names[place], spec.dtype, spec.shape) if len(names) == len(specs) else spec


def _batched(specs: Iterable[TensorSpec], symbol: Dim) -> Iterator[TensorSpec]:
    for spec in specs:
        free = isinstance(symbol, str) and spec.shape is not None
        yield replace(spec, shape=tuple("batch" if d == symbol else d for d in spec.shape or ())) if free else spec


def _short(target: str) -> str:
    return target.removeprefix("torch.ops.").removesuffix(".default")


def _arguments(module: JsonObject, side: str) -> list[JsonObject]:
    """Return what the user gives or gets, by the side: ``input`` or ``output``."""
    entries = module["signature"][f"{side}_specs"]
    return [entry[f"user_{side}"]["arg"] for entry in entries if f"user_{side}" in entry]


def _tensor_names(module: JsonObject, side: str) -> list[str]:
    return [arg["as_tensor"]["name"] for arg in _arguments(module, side) if "as_tensor" in arg]


def _node(node: JsonObject) -> "onnx.NodeProto":
    """Draw one operator: tensors become edges, plain arguments become attributes."""
    from onnx import helper

    space, _, name = _short(node["target"]).partition(".")
    inputs: list[str] = []
    attributes: JsonObject = {}
    for argument in node["inputs"]:
        _place(argument["name"], argument["arg"], inputs, attributes)
    outputs = [name for arg in node["outputs"] for name in _names(arg)]
    return helper.make_node(
        name or space, inputs, outputs, name=node.get("name") or "", domain=space if name else "torch", **attributes
    )


def _place(name: str, arg: JsonObject, inputs: list[str], attributes: JsonObject) -> None:
    edges = list(_names(arg))
    inputs += edges
    value = next(iter(arg.values()), None) if isinstance(arg, dict) else None
    if not edges and isinstance(value, int | float | str) and name not in ("name", "domain", "doc_string", "overload"):
        attributes[name] = int(value) if isinstance(value, bool) else value
    elif (
        not edges
        and isinstance(value, list)
        and value
        and all(type(v) is int for v in value)
        and name not in ("inputs", "outputs")
    ):
        attributes[name] = value


def _names(arg: object) -> Iterator[str]:
    """Yield the names of the tensors in an argument."""
    if isinstance(arg, list):
        for item in arg:
            yield from _names(item)
    elif isinstance(arg, dict):
        for key, value in arg.items():
            if key == "as_tensor":
                yield str(value["name"])
            elif key in ("as_tensors", "as_optional_tensors"):
                yield from (str(v["name"]) if "name" in v else next(_names(v), "") for v in value)
            elif key == "as_optional_tensor":
                yield from _names(value)
            elif key in ("as_sym_int", "as_sym_ints"):
                yield from (
                    str(v["as_name"]) for v in (value if isinstance(value, list) else [value]) if "as_name" in v
                )


def _tensor(name: str, graph: JsonObject) -> TensorSpec:
    meta = graph["tensor_values"][name]
    return TensorSpec(name, DTYPES[meta["dtype"]], tuple(_dim(size) for size in meta["sizes"]))


def _weights(module: JsonObject) -> "Iterator[onnx.TensorProto]":
    for entry in module["signature"]["input_specs"]:
        kind = next((k for k in ("parameter", "buffer", "tensor_constant") if k in entry), None)
        if kind and entry[kind]["arg"]["name"] in module["graph"]["tensor_values"]:
            yield weight(_tensor(entry[kind]["arg"]["name"], module["graph"]))
