"""ExecuTorch: one flatbuffer with a method, its kernels, and what was handed to a delegate such as XNNPACK."""

from collections.abc import Iterator
from pathlib import Path

from core.domain.artifact import Signature
from core.domain.format import Format, Risk, Summary, Surroundings
from core.formats.anatomy import executorch_program
from core.formats.anatomy.findings import info


class ExecuTorch(Format):
    """A list of calls of ExecuTorch's own kernels; declarative, so that it needs no consent."""

    title = "ExecuTorch program (.pte)"
    sentence = (
        "PyTorch's own format for phones and boards; the batch size is dynamic up to a bound that the file declares."
    )
    suffixes = (".pte",)
    runs_in = Surroundings.DEVICE

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the flatbuffer carries the identifier of ExecuTorch."""
        return head[4:8] == executorch_program.IDENTIFIER

    def check(self, path: Path) -> Iterator[Risk]:
        """Check the tables, the names of kernels and delegates, and the places of the weights."""
        program = executorch_program.read(path)
        if program.largest is not None:
            yield info(f"One call takes at most {program.largest} samples.")

    def inspect(self, path: Path) -> Summary:
        """Read the method's inputs, outputs, kernels and delegates; the weights belong to the delegates."""
        program = executorch_program.read(path)
        return Summary(
            format=self.id,
            signature=Signature(program.inputs, program.outputs),
            operators={**program.delegates, **program.kernels},
            producer="ExecuTorch",
            dependencies=("executorch",),
            notes={"method": program.method, "largest_batch": program.largest, "planned_bytes": program.planned_bytes},
        )


FORMAT = ExecuTorch()
