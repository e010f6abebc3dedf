"""What a torch exported program (.pt2) says of its inputs, for converters that need an example or a shape."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from core.domain.artifact import Dim, TensorSpec
from core.domain.errors import Refused, refusing
from core.formats.anatomy import told
from core.libraries.torch import ExportedProgram, Tensor

NOTES = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn")
"""What the exporter notes on each node of where it comes from."""
LOGGERS = ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")


def load(path: Path) -> ExportedProgram:
    """Load an exported program. Raises Refused with the cause."""
    import torch

    with refusing("torch cannot load this exported program", "Save it again with torch.export.save."), quiet():
        program = torch.export.load(str(path))
    _loosen(program)
    return program


def _loosen(program: ExportedProgram) -> None:
    """Copy what is transposed before it is viewed: attention taken apart answers in other strides than the ones traced."""
    import torch

    aten, graph = torch.ops.aten, program.graph
    views = (aten.view.default, aten.reshape.default, aten.flatten.using_ints)
    for node in list(graph.nodes):
        if node.target in views and node.args[0].target in (aten.transpose.int, aten.permute.default):
            with graph.inserting_before(node):
                copy = graph.call_function(
                    aten.clone.default, (node.args[0],), {"memory_format": torch.contiguous_format}
                )
            copy.meta = {**node.args[0].meta, "val": node.args[0].meta["val"].contiguous()}
            node.replace_input_with(node.args[0], copy)
    program.graph_module.recompile()


def inputs(program: ExportedProgram) -> list[TensorSpec]:
    """Return the tensor inputs in order; free dimensions carry their symbols. Raises Refused for an input that is not a tensor."""
    import torch

    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    specs = []
    for name in program.graph_signature.user_inputs:
        value = values.get(name)
        if not isinstance(value, torch.Tensor):
            raise Refused(f"The input {name!r} is not a tensor.", "Export the model with plain tensors.")
        dims: tuple[Dim, ...] = tuple(dim if isinstance(dim, int) else str(dim) for dim in value.shape)
        specs.append(TensorSpec(name, str(value.dtype).removeprefix("torch."), dims))
    return specs


def free_batch(specs: Sequence[TensorSpec]) -> bool:
    """Say whether the first dimension of every input is free."""
    return bool(specs) and all(not spec.shape or not isinstance(spec.shape[0], int) for spec in specs)


def fixed_behind(specs: Sequence[TensorSpec], target: str) -> None:
    """Refuse free sizes behind the batch for a target that has none."""
    for spec in specs:
        if any(not isinstance(dim, int) for dim in (spec.shape or ())[1:]):
            raise Refused(
                f"{target} needs fixed sizes; the input {spec.name!r} has the dynamic shape {list(spec.shape or ())}.",
                "Export the model with fixed sizes after the batch dimension.",
            )


def sized(specs: Sequence[TensorSpec], batch: int) -> list[tuple[int, ...]]:
    """Return the shape of each input with every free first dimension at ``batch``."""
    return [tuple(dim if isinstance(dim, int) else batch for dim in spec.shape or ()) for spec in specs]


def examples(specs: Sequence[TensorSpec], shapes: Sequence[tuple[int, ...]]) -> tuple[Tensor, ...]:
    """Return one seeded tensor per input: ordinary numbers, and zeros for whole numbers and truth."""
    import torch

    generator = torch.Generator().manual_seed(0)
    kinds = [getattr(torch, spec.dtype) for spec in specs]
    return tuple(
        torch.randn(shape, generator=generator).to(kind) if kind.is_floating_point else torch.zeros(shape, dtype=kind)
        for kind, shape in zip(kinds, shapes, strict=True)
    )


def write(program: ExportedProgram, out: Path, entries: Mapping[str, str] | None = None) -> None:
    """Save a program without the notes that name files of this machine, and the entries of the file that it was made from beside it."""
    import torch

    for part in program.graph_module.modules():
        for node in getattr(getattr(part, "graph", None), "nodes", ()):
            for note in NOTES:
                node.meta.pop(note, None)
    with quiet(), out.open("wb") as file:
        torch.export.save(program, file, extra_files=told.packed(entries or {}) or None)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the notes of exporters on their own future to themselves."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
