"""A network with weights as an exported program with a free batch."""

from collections.abc import Mapping
from pathlib import Path

from core.domain.errors import Refused, refusing
from core.libraries.architectures import Built
from core.libraries.torch import exported_programs

BATCH = 2
"""An example with one row could be taken for a constant."""


def to_program(built: Built, out: Path, entries: Mapping[str, str] | None = None) -> None:
    """Export and save, with the entries of the weights' file beside it. Raises Refused without shapes, or with what the exporter cannot follow."""
    import torch

    unknown = [spec.name for spec in built.inputs if spec.shape is None]
    if unknown:
        raise Refused(
            f"The weights do not determine the shapes of {', '.join(unknown)}.",
            "Give shapes without the batch, such as shapes=3x224x224 or int64:48, or add a data set.",
        )
    inputs = exported_programs.examples(built.inputs, exported_programs.sized(built.inputs, BATCH))
    free = tuple({0: torch.export.Dim.AUTO} for _ in inputs)
    with (
        refusing(
            "torch cannot export this network",
            "Check the shapes; a forward method that branches on its data must be rewritten.",
        ),
        exported_programs.quiet(),
        torch.no_grad(),
    ):
        torch.backends.mha.set_fastpath_enabled(False)
        program = torch.export.export(built.module, inputs, dynamic_shapes=free)
    if not exported_programs.free_batch(exported_programs.inputs(program)):
        raise Refused(
            "The network works for one batch size only.", "Write its forward method for any number of samples."
        )
    exported_programs.write(program, out, entries)
