"""The source inside a TorchScript file, read as text: which operators it calls, what runs at loading, what ``forward`` takes."""

import ast
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.domain.errors import Refused, first_line

AGAIN = "Ask the author for ONNX, or export the model with torch.export."
NAMESPACES = {"prim", "aten", "quantized", "prims", "torchvision", "_quantized", "xnnpack_quantized"}
FILES = {
    "from_file",
    "save",
    "load",
    "load_library",
    "save_to_file",
    "read_file",
    "write_file",
    "_from_file",
    "decode_image",
}
MAX_TEXT = 16 << 20


@dataclass
class ScriptSource:
    """What all the source of a file together does."""

    operators: Counter[str] = field(default_factory=Counter)
    at_load: list[str] = field(default_factory=list)
    loops: bool = False
    packages: set[str] = field(default_factory=set)
    parameters: dict[str, set[str]] = field(default_factory=dict)


def read(text: bytes, name: str, source: ScriptSource) -> ast.Module:
    """Add what one source file does to ``source``, and return its tree. Raises Refused for files, foreign operators, broken text."""
    if len(text) > MAX_TEXT:
        raise Refused(f"{name} in the file is source of more than 16 MB.", AGAIN)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Refused(f"{name} in the file is not TorchScript source ({first_line(error)[:60]}).", AGAIN) from None
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            _operator(node, source)
        elif isinstance(node, ast.FunctionDef) and node.name == "__setstate__":
            source.at_load.append(name)
        elif isinstance(node, ast.ClassDef):
            module = name.removeprefix("code/").removesuffix(".py").replace("/", ".")
            source.parameters[f"{module}.{node.name}"] = set(_parameters(node))
        elif isinstance(node, ast.While):
            source.loops = True
        elif isinstance(node, ast.Import | ast.ImportFrom) and not _is_plain_import(node):
            raise Refused(f"{name} in the file imports other code.", AGAIN)
    return tree


def forward_inputs(tree: ast.Module, name: str) -> tuple[tuple[str, str], ...] | None:
    """Return name and type of the arguments of a class's ``forward``, or None when it has none."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name == "forward":
                    return tuple(
                        (arg.arg, ast.unparse(arg.annotation) if arg.annotation else "Tensor")
                        for arg in method.args.args[1:]
                    )
    return None


def forward_outputs(tree: ast.Module, name: str) -> str | None:
    """Return the type that a class's ``forward`` gives, or None when it has none."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name == "forward" and method.returns:
                    return ast.unparse(method.returns)
    return None


def member_of(module: str) -> str:
    """Return the member that holds the source of a module ``__torch__.a.b``."""
    return "code/" + module.replace(".", "/") + ".py"


def _parameters(node: ast.ClassDef) -> Iterator[str]:
    """Yield the attributes that a class lists as trained; its other tensors are buffers."""
    for item in node.body:
        if isinstance(item, ast.Assign) and [t.id for t in item.targets if isinstance(t, ast.Name)] == [
            "__parameters__"
        ]:
            yield from (
                e.value
                for e in getattr(item.value, "elts", ())
                if isinstance(e, ast.Constant) and isinstance(e.value, str)
            )


def _operator(node: ast.Attribute, source: ScriptSource) -> None:
    """Count ``torch.relu`` and ``ops.space.name``; refuse what reaches files or comes from elsewhere."""
    parts = tuple(_dotted(node))
    if parts[:1] == ("torch",) and len(parts) >= 2:
        space, name = "aten", parts[-1]
    elif parts[:1] == ("ops",) and len(parts) == 3:
        space, name = parts[1], parts[2]
        if space not in NAMESPACES:
            raise Refused(f"The model needs operators of {space[:60]!r}, which are not part of torch.", AGAIN)
        source.packages |= {space} & {"torchvision"}
    else:
        return
    if name in FILES or re.search(r"from_file|shared_memory", name):
        raise Refused(f"The model's code calls {space}::{name}, which reaches files.", AGAIN)
    source.operators[f"{space}::{name}"] += 1


def _dotted(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Attribute):
        yield from _dotted(node.value)
        yield node.attr
    elif isinstance(node, ast.Name):
        yield node.id
    else:
        yield ""


def _is_plain_import(node: ast.Import | ast.ImportFrom) -> bool:
    names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    return all(name.split(".")[0] in ("__torch__", "torch") for name in names)
