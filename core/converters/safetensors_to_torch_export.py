"""Safetensors and its architecture to a torch exported program: weights and network in one file."""

from pathlib import Path

from core.domain.transform import Converter, Tolerance
from core.formats import safetensors
from core.libraries.architectures import ArchitectureOptions


class SafetensorsToTorchExport(Converter):
    """Fills the weights into the network that the owner names, and exports it; compared with that network in eager mode."""

    title = "Safetensors to PyTorch (.pt2)"
    sentence = "Combines a safetensors file with its network, given by name or as a Python file, in one program."
    source, target, suffix = "safetensors", "torch_export", ".pt2"
    tolerance = Tolerance(absolute=1e-5, relative=1e-5)
    Options = ArchitectureOptions

    def convert(self, source: Path, out: Path, options: ArchitectureOptions) -> None:
        """Build, fill, export and save. Raises Refused with the names that do not fit, or what the exporter cannot follow."""
        from core.libraries.architectures import build, export

        export.to_program(build(source, self.source, options), out, safetensors.entries(source))


CONVERTER = SafetensorsToTorchExport()
