"""Exported program (.pt2) to ExecuTorch by its own exporter, with XNNPACK for what it can take."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.border.jail import programs
from core.domain.artifact import TensorSpec
from core.domain.errors import Refused, first_line
from core.domain.groups import GROUPS
from core.domain.transform import Converter, Tolerance, option
from core.libraries.torch import exported_programs


@dataclass(frozen=True)
class ExecuTorchOptions:
    """How many samples one call may take: memory for so many is planned in the file."""

    batch: int = option(64, "Largest number of samples in one call; 1 to 1024.", low=1, high=1024)


class TorchExportToExecuTorch(Converter):
    """Exports again at the largest batch, because a smaller example was seen to lower the bound to 15."""

    title = "Exported program to ExecuTorch"
    sentence = "Writes a PyTorch model (.pt2) as .pte for phones, on XNNPACK; a dynamic batch size gets an upper bound."
    source, target, suffix = "torch_export", "executorch", ".pte"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    Options = ExecuTorchOptions
    group = GROUPS["executorch"]
    kind = "executorch"

    def convert(self, source: Path, out: Path, options: ExecuTorchOptions) -> None:
        """Export, lower and write. Raises Refused for a free size behind the batch, or with what cannot be lowered."""
        program = exported_programs.load(source)
        specs = exported_programs.inputs(program)
        exported_programs.fixed_behind(specs, "ExecuTorch")
        try:
            with exported_programs.quiet():
                out.write_bytes(_lowered(program, specs, options.batch))
        except (Refused, OSError, MemoryError):
            raise
        except Exception as error:
            raise Refused(
                f"ExecuTorch cannot lower this program: {first_line(error)}",
                "Replace the named part with other torch operators, and export the model again.",
            ) from None


def _lowered(program: Any, specs: Sequence[TensorSpec], batch: int) -> bytes:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from executorch.exir._serialize import _flatbuffer

    _flatbuffer._run_flatc = _flatc
    free = exported_programs.free_batch(specs) and batch > 1
    bound = torch.export.Dim("batch", min=1, max=batch) if free else None
    examples = exported_programs.examples(specs, exported_programs.sized(specs, batch))
    module = program.module()
    shapes = tuple({0: bound} if bound is not None else {} for _ in specs)
    bounded = torch.export.export(module, examples, dynamic_shapes=shapes, strict=False)
    lowered = to_edge_transform_and_lower(bounded, partitioner=[XnnpackPartitioner()]).to_executorch()
    return bytes(lowered.buffer)


def _flatc(arguments: Sequence[str]) -> None:
    """Have flatc run behind the jail's walls in place of a process of the exporter's own."""
    ended = programs.run(list(arguments))
    if ended.code != 0:
        raise RuntimeError(f"flatc failed: {ended.said[-200:]}")


CONVERTER = TorchExportToExecuTorch()
