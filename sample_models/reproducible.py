"""Makes files hold the same bytes at each build: no date, no memory address, no path of the machine that built them."""

import json
import zipfile
from pathlib import Path
from typing import Any

import onnx
import torch
from torch.export import ExportedProgram

WRITTEN_AT_END = {"version", ".data/serialization_id"}
"""Records that torch's writer adds by itself."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first date that a zip archive can hold."""


def forget_origin(program: ExportedProgram) -> None:
    """Remove the source lines that the exporter noted on each node."""
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)


def drop_debug_records(path: Path) -> None:
    """Write a TorchScript archive again without the records that map code to source files."""
    reader = torch._C.PyTorchFileReader(str(path))
    names = [
        name for name in reader.get_all_records() if name not in WRITTEN_AT_END and not name.endswith(".debug_pkl")
    ]
    kept = {name: reader.get_record(name) for name in names}
    writer = torch._C.PyTorchFileWriter(str(path))
    for name, record in kept.items():
        writer.write_record(name, record, len(record))
    writer.write_end_of_file()


def write_onnx(model: onnx.ModelProto, path: Path) -> None:
    """Write the model without the exporter's notes, which name source files."""
    for graph in _graphs(model.graph):
        for part in [graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer]:
            part.ClearField("metadata_props")
            part.ClearField("doc_string")
    for part in [model, *model.functions]:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def rewrite_skops(path: Path) -> None:
    """Number the objects and arrays of a skops file in order, instead of by memory address, and compress it."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(members.pop("schema.json"))
    numbers: dict[Any, int] = {}
    names: dict[str, str] = {}
    _renumber(schema, numbers, names)
    files = {"schema.json": json.dumps(schema, indent=2).encode(), **{names[old]: members[old] for old in names}}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED, 9)


def _renumber(value: Any, numbers: dict[Any, int], names: dict[str, str]) -> None:
    """Replace each ``__id__`` and each member name below a value by its rank of appearance."""
    if isinstance(value, dict):
        if "__id__" in value:
            value["__id__"] = numbers.setdefault(value["__id__"], len(numbers) + 1)
        if "file" in value and "__loader__" in value:
            old = value["file"]
            value["file"] = names.setdefault(old, f"{len(names) + 1}{Path(old).suffix}")
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        _renumber(child, numbers, names)


def _graphs(graph: onnx.GraphProto) -> list[onnx.GraphProto]:
    """Return a graph and those inside its nodes."""
    inner = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return [graph, *(deeper for child in inner for deeper in _graphs(child))]
