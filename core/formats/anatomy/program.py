"""The JSON of an exported torch program against allow-lists: operators, names, expressions, structures, weights.

A ``.pt2`` runs code in four ways that need no pickle: while it is loaded by shape expressions, by structures that import a
module, and by names that become source of the generated function; when it is called by guards. All four are checked as text.
"""

import math
import re
from collections.abc import Iterator

from core.domain.errors import Refused
from core.formats.anatomy.elements import bits
from core.formats.anatomy.expressions import check_expression, check_guard
from core.formats.anatomy.findings import JsonObject, parse_json
from core.formats.anatomy.torch_weights import TensorView, check_view

AGAIN = "Ask the author for ONNX, or export the model again with torch.export.save."
SCHEMA_MAJOR = 8
MAX_NODES = 100_000

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,255}")
WEIGHT_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,511}")
CALL_NAME = re.compile(r"[A-Za-z0-9_.@\-]{0,512}")
KEY_TEXT = re.compile(r"[A-Za-z0-9_./ \-]{1,200}")
NAME_KEYS = {"name", "as_name", "buffer_name", "parameter_name", "tensor_constant_name", "user_input_name"}
FORBIDDEN_KEYS = {
    "as_custom_obj": "custom objects",
    "custom_obj": "custom objects",
    "token": "effects outside the graph",
}

TARGETS = re.compile(
    r"torch\.ops\.(aten|prims|quantized_decomposed|torchvision)\.[A-Za-z]\w*\.[A-Za-z]\w*"
    r"|torch\.ops\.aten\._[A-Za-z]\w*\.[A-Za-z]\w*"
    r"|torch\.ops\.higher_order\.(cond|while_loop|scan|map_impl|associative_scan|wrap_with_set_grad_enabled|wrap_with_autocast"
    r"|flex_attention|invoke_subgraph|auto_functionalized|auto_functionalized_v2|out_dtype)"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|not_|xor|lshift|rshift|getitem)"
    r"|math\.(ceil|floor|trunc|sqrt)"
    r"|torch\.sym_(int|float|not|max|min|sqrt|sum|ite)|torch\._sym_sqrt|torch\._C\._set_grad_enabled"
)
FILES = ("from_file", "save", "load_library")

STRUCTURES = {None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"}
RETURN_TYPE = re.compile(r"torch\.return_types\.\w{1,60}")

DTYPES: dict[int, str] = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64",
    9: "complex32", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16", 28: "uint16", 29: "float8e4m3fn",
    30: "float8e5m2", 31: "float8e4m3fnuz", 32: "float8e5m2fnuz", 33: "float8e8m0", 34: "uint32", 35: "uint64",
}  # fmt: skip


def check(program: JsonObject) -> None:
    """Check all parts of a program. Raises Refused for anything off the lists."""
    version = program["schema_version"]["major"]
    if version != SCHEMA_MAJOR:
        raise Refused(
            f"The program has the schema {version}; the torch installed here reads {SCHEMA_MAJOR}.",
            "Export it again with torch 2.8 or newer.",
        )
    module = program["graph_module"]
    for symbol, bounds in program["range_constraints"].items():
        check_expression(symbol)
        if any(value is not None and type(value) is not int for value in bounds.values()):
            raise Refused("A range in the program is not a number.", AGAIN)
    for guard in program.get("guards_code") or ():
        check_guard(guard)
    if module.get("treespec_namedtuple_fields"):
        raise Refused(
            "The program takes or returns named tuples of a class that is not in the file.",
            "Export it with plain tuples or dicts.",
        )
    for call in module["module_call_graph"]:
        _check_name(_text(call["fqn"]), CALL_NAME)
        _check_call(call)
    _check_tree(module)


def nodes(graph: JsonObject) -> Iterator[JsonObject]:
    """Yield the nodes of a graph and of the graphs inside its arguments."""
    for node in graph["nodes"]:
        yield node
        for argument in node["inputs"]:
            inner = argument["arg"].get("as_graph") if isinstance(argument["arg"], dict) else None
            if inner:
                yield from nodes(inner["graph"])


def tensors(config: JsonObject, pattern: re.Pattern[str]) -> Iterator[tuple[str, str, bool, TensorView]]:
    """Yield name, member, whether it is a parameter, and the view, of each tensor that a payload config lists. Raises Refused."""
    for name, entry in config["config"].items():
        if not WEIGHT_NAME.fullmatch(name) or not pattern.fullmatch(str(entry["path_name"])):
            raise Refused(f"The weight {name[:60]!r} has an invalid name or location.", AGAIN)
        if entry["use_pickle"] is not False or not entry["tensor_meta"]:
            raise Refused(f"The weight {name[:60]!r} is a pickle, which is a program.", AGAIN)
        meta = entry["tensor_meta"]
        kind = DTYPES[meta["dtype"]]
        sizes, strides = _ints(meta["sizes"]), _ints(meta["strides"])
        (offset,) = _ints([meta["storage_offset"]])
        if meta["layout"] != 7 or len(sizes) != len(strides) or len(sizes) > 64:
            raise Refused(f"The weight {name[:60]!r} is not stored as a plain tensor.", AGAIN)
        yield (
            name,
            entry["path_name"],
            bool(entry["is_param"]),
            TensorView(kind, sizes, strides, offset, entry["path_name"], 0, bits(kind) // 8),
        )


def check_stored(name: str, view: TensorView, size: int) -> None:
    """Refuse a weight that is larger than its member of ``size`` bytes."""
    if math.prod(view.shape) and not size:
        raise Refused(f"The weight {name[:60]!r} is missing from the file.", "Export the model with its real weights.")
    if size % view.width:
        raise Refused(f"The weight {name[:60]!r} is cut off.", AGAIN)
    check_view(TensorView(view.dtype, view.shape, view.strides, view.offset, view.key, size // view.width, view.width))


def _check_tree(module: JsonObject) -> None:
    """Walk the whole JSON and check what stands under the keys that torch acts on."""
    pending: list[object] = [module["graph"], module["signature"]]
    count = 0
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending += item
        elif isinstance(item, dict):
            count += "target" in item
            if count > MAX_NODES:
                raise Refused(f"The program has more than {MAX_NODES:,} nodes.", AGAIN)
            pending += _check_table(item)


def _check_table(table: JsonObject) -> list[object]:
    """Check the keys of one table and return the values that must be walked further."""
    further: list[object] = []
    for key, value in table.items():
        if key in FORBIDDEN_KEYS or (key == "custom_obj_values" and value):
            raise Refused(f"The program needs {FORBIDDEN_KEYS.get(key, 'custom objects')}.", AGAIN)
        if key == "expr_str":
            check_expression(_text(value))
        elif key in ("target", "as_operator"):
            _check_target(_text(value))
        elif key in NAME_KEYS and value is not None and not (value == "" and _may_be_nameless(table)):
            _check_name(_text(value), IDENTIFIER if key in ("name", "as_name", "user_input_name") else WEIGHT_NAME)
        elif key in ("tensor_values", "sym_int_values", "sym_bool_values", "sym_float_values"):
            for name in value:
                _check_name(name, IDENTIFIER)
            further += value.values()
        elif key == "metadata":
            _check_metadata(value)
        else:
            further.append(value)
    return further


def _may_be_nameless(table: JsonObject) -> bool:
    """Say whether torch leaves this name out itself: of nodes, and of arguments by position."""
    return "target" in table or ("arg" in table and table.get("kind") == 1)


def _check_target(target: str) -> None:
    if not TARGETS.fullmatch(target) or any(part.startswith(FILES) for part in target.split(".")[3:4]):
        raise Refused(f"The program calls {target[:80]!r}, which is not one of torch's own operators.", AGAIN)


def _check_name(name: str, pattern: re.Pattern[str]) -> None:
    if not pattern.fullmatch(name):
        raise Refused(f"The program contains the name {name[:60]!r}, which is not valid.", AGAIN)


def _check_metadata(table: JsonObject) -> None:
    """Refuse notes with control characters: torch writes them into the comments of the source that it generates."""
    for text in table.values():
        if not all(c in "\n\t" or c.isprintable() for c in _text(text)):
            raise Refused("The metadata of the program contains control characters.", AGAIN)


def _check_call(call: JsonObject) -> None:
    signature = call.get("signature")
    if not signature:
        return
    for name in signature.get("forward_arg_names") or ():
        _check_name(_text(name), IDENTIFIER)
    for key in ("in_spec", "out_spec"):
        if signature[key]:
            spec = parse_json(_text(signature[key]).encode(), "The structure of the inputs")
            if not isinstance(spec, list) or len(spec) != 2 or spec[0] != 1:
                raise Refused("The structure of the inputs has an unknown form.", AGAIN)
            _check_structure(spec[1])
    _check_tree({"graph": signature["inputs"], "signature": signature["outputs"]})


def _check_structure(spec: JsonObject) -> None:
    """Refuse a structure other than tuples, lists and dicts with plain keys: others import what they name."""
    kind = spec["type"]
    if kind not in STRUCTURES and not RETURN_TYPE.fullmatch(str(kind)):
        raise Refused(
            f"The program takes or returns {str(kind)[:60]!r}, which is not a plain structure.",
            "Export it with tuples, lists and dicts.",
        )
    context = parse_json(_text(spec["context"] or "null").encode(), "The structure of the inputs")
    keys = context if isinstance(context, list) else [] if context is None else [context]
    if not all(type(key) is int or (type(key) is str and KEY_TEXT.fullmatch(key)) for key in keys):
        raise Refused("An input of the program has an invalid name.", "Export it with plain names.")
    for child in spec["children_spec"]:
        _check_structure(child)


def _ints(values: list[JsonObject]) -> tuple[int, ...]:
    found = tuple(value.get("as_int", -1) for value in values)
    if any(type(value) is not int or not 0 <= value < 2**60 for value in found):
        raise Refused("A weight of the program has a shape that is not a number.", AGAIN)
    return found


def _text(value: object) -> str:
    if type(value) is not str:
        raise Refused("The program contains something other than text where text is required.", AGAIN)
    return value
