"""From a network to files: an exported program or a script, with every size free that the ONNX file leaves free."""

import itertools
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch.export import ExportedProgram
from torch.jit import ScriptModule

from core.domain.artifact import Signature, TensorSpec
from core.domain.codec import encode
from core.domain.errors import Refused, first_line
from core.formats.anatomy import script_signature, told
from core.libraries.torch import exported_programs, torchscripts
from core.train.onnx_torch.graph import Port
from core.train.onnx_torch.network import Answer, Network
from core.train.onnx_torch.sequences import any_length
from core.train.onnx_torch.values import tried

BATCH, OTHER_BATCH = 2, 3
"""Sizes of the two examples; an exporter could take a one for a constant."""
LONGER = 5
"""What is added to free sizes behind the batch to see whether a trace follows."""
LENGTHS = (8, 32, 64, 224)
"""Sizes that are tried for what is free behind the batch, until the network takes one."""
SHAPES = "Name sizes that fit after the batch, such as shapes=3x224x224, one per input separated by ';'."


def to_program(network: Network, shapes: str, out: Path, entries: Mapping[str, str]) -> None:
    """Save as a torch exported program. Raises Refused with the node that torch cannot run, or that fixes a free batch."""
    with exported_programs.quiet(), torch.no_grad():
        inputs = fitting(network, shapes)
        free = tuple(dict.fromkeys(_free(port), torch.export.Dim.AUTO) for port in network.graph.inputs)
        try:
            with any_length():
                program = torch.export.export(network, inputs, dynamic_shapes=free)
        except Exception as error:
            raise _cause(error) from None
        _check_free(network, program)
        exported_programs.write(program, out, entries)


def to_script(network: Network, shapes: str, out: Path, entries: Mapping[str, str]) -> None:
    """Save as TorchScript with its signature beside it. Raises Refused as ``to_program``, and where the trace fixes a free batch."""
    with exported_programs.quiet(), torch.no_grad():
        inputs = fitting(network, shapes)
        try:
            traced: ScriptModule = torch.jit.trace(network, inputs, check_trace=False)  # type: ignore[no-untyped-call]
        except Exception as error:
            raise _cause(error) from None
        _check_trace(network, traced, inputs)
        extra = {script_signature.MEMBER: json.dumps(encode(_signature(network, inputs))), **told.packed(entries)}
        part = out.with_name("traced.pt")
        traced.save(str(part), _extra_files=extra)
    _without_traces(part, out)
    part.unlink()


def fitting(network: Network, shapes: str) -> tuple[torch.Tensor, ...]:
    """Return an example that the network takes at two batch sizes. Raises Refused with the node that takes none."""
    refused: Refused | None = None
    for length, fill in itertools.product(LENGTHS, (0, 1)):
        sizes = _asked(network, shapes) if shapes else [_sized(port, length) for port in network.graph.inputs]
        try:
            for batch in (OTHER_BATCH, BATCH):
                inputs = examples(network.graph.inputs, sizes, batch, fill)
                with tried():
                    network(*inputs)
        except Refused as error:
            refused = refused or error
            if fill and (shapes or not any(len(_free(port)) > 1 for port in network.graph.inputs)):
                break
        else:
            return inputs
    raise refused or Refused("No example input runs through the network.", SHAPES)


def examples(ports: tuple[Port, ...], sizes: list[list[int]], batch: int, fill: int) -> tuple[torch.Tensor, ...]:
    """Return one seeded tensor per input: ordinary numbers, or those from 0 to 1 with a ``fill`` of 1, and ``fill`` for whole numbers and truth."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for port, shape in zip(ports, _laid(ports, sizes, batch), strict=True):
        # Ids come as floats too: between 0 and 1 they look up the first row of a table.
        plain = (torch.rand if fill else torch.randn)(shape, generator=generator)
        found.append(
            plain.to(port.dtype) if port.dtype.is_floating_point else torch.full(shape, fill, dtype=port.dtype)
        )
    return tuple(found)


def _laid(ports: tuple[Port, ...], sizes: list[list[int]], batch: int) -> list[list[int]]:
    """Return whole shapes: the first size is the batch, unless a size behind it is first in another input; then that one is, and the two change places."""
    firsts = {port.shape[0] for port in ports if port.shape}
    laid = []
    for port, behind in zip(ports, sizes, strict=True):
        first = (port.shape or (None,))[:1] if port.shape != () else ()
        shape = [*(dim if isinstance(dim, int) else batch for dim in first), *behind]
        names = port.shape or ()
        shared = next(
            (place for place in range(1, len(names)) if isinstance(names[place], str) and names[place] in firsts), 0
        )
        if shared and isinstance(names[0], str) and names[0] != names[shared]:
            shape[0], shape[shared] = shape[shared], shape[0]
        laid.append(shape)
    return laid


def _sized(port: Port, length: int) -> list[int]:
    if port.shape is None:
        raise Refused(f"The file does not say how many dimensions its input {port.name!r} has.", SHAPES)
    return [dim if isinstance(dim, int) else length for dim in port.shape[1:]]


def _asked(network: Network, shapes: str) -> list[list[int]]:
    names = tuple(port.name for port in network.graph.inputs)
    return [[int(str(dim)) for dim in (spec.shape or ())[1:]] for spec in torchscripts.parse_shapes(shapes, names)]


def _free(port: Port) -> list[int]:
    """Return the places of free dimensions."""
    return [place for place, dim in enumerate(port.shape or ()) if not isinstance(dim, int)]


def _check_free(network: Network, program: ExportedProgram) -> None:
    """Refuse a program in which a size became a number that the ONNX file leaves free."""
    values = {node.name: node.meta["val"] for node in program.graph.nodes if node.op == "placeholder"}
    for port, name in zip(network.graph.inputs, program.graph_signature.user_inputs, strict=True):
        fixed = [d for d in _free(port) if str(values[name].shape[d]).isdigit()]
        if fixed:
            what = "batch" if fixed[0] == 0 else f"dimension {fixed[0]}"
            raise Refused(
                f"The {what} of the input {port.name!r} is dynamic in the file, but torch's export works only for "
                f"{values[name].shape[fixed[0]]} of it.",
                "Choose TorchScript, which may keep it dynamic, or export the source again with that size fixed in its inputs.",
            )


def _check_trace(network: Network, traced: ScriptModule, inputs: tuple[torch.Tensor, ...]) -> None:
    """Refuse a trace that answers other sizes than its own in another way than the network."""
    for batch, more in ((OTHER_BATCH, 0), (BATCH, LONGER)):
        sizes = [
            [dim + more if place in _free(port) else dim for place, dim in enumerate(tensor.shape[1:], start=1)]
            for port, tensor in zip(network.graph.inputs, inputs, strict=True)
        ]
        other = examples(network.graph.inputs, sizes, batch, 0)
        try:
            wanted = network(*other)
        except Refused:
            continue
        if not _same(wanted, traced, other):
            raise Refused(
                "The trace works only for the sizes of its example.",
                "Fix the sizes of the inputs in the source, or choose another target.",
            )


def _same(wanted: Answer, traced: ScriptModule, inputs: tuple[torch.Tensor, ...]) -> bool:
    try:
        got = traced(*inputs)
    except RuntimeError:
        return False
    pairs = [value if isinstance(value, tuple) else (value,) for value in (wanted, got)]
    return len(pairs[0]) == len(pairs[1]) and all(
        a.shape == b.shape and torch.allclose(a.double(), b.double(), 1e-3, 1e-4, equal_nan=True)
        for a, b in zip(*pairs, strict=True)
    )


def _signature(network: Network, inputs: tuple[torch.Tensor, ...]) -> Signature:
    specs = []
    for port, tensor in zip(network.graph.inputs, inputs, strict=True):
        dims = port.shape if port.shape is not None else ("batch", *tensor.shape[1:])
        named = tuple("batch" if place == 0 and not isinstance(dim, int) else dim for place, dim in enumerate(dims))
        specs.append(TensorSpec(port.name, str(port.dtype).removeprefix("torch."), named))
    return Signature(tuple(specs), ())


def _without_traces(source: Path, out: Path) -> None:
    """Copy the archive without the notes on which line of which file made each node."""
    with zipfile.ZipFile(source) as given, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as kept:
        for member in given.infolist():
            if not member.filename.endswith(".debug_pkl"):
                kept.writestr(member, given.read(member))


def _cause(error: BaseException) -> Refused:
    """Return the reason that a node gave, or else the exporter's first line."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, Refused):
            return seen
        seen = seen.__cause__ or seen.__context__
    return Refused(
        f"torch cannot export this graph: {first_line(error)}",
        "Fix the sizes after the batch dimension, or choose another target.",
    )
