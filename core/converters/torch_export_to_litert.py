"""Exported program (.pt2) to LiteRT by LiteRT Torch, without TensorFlow."""

from pathlib import Path

from core.domain.errors import refusing
from core.domain.groups import GROUPS
from core.domain.transform import Converter, NoOptions, Tolerance
from core.libraries.torch import exported_programs


class TorchExportToLiteRt(Converter):
    """Fixes the batch at one, because LiteRT Torch has no free sizes; weights and layout stay as torch has them."""

    title = "Exported program to LiteRT"
    sentence = (
        "Writes a PyTorch model (.pt2) as .tflite for phones; the file takes one sample at a time, in 32-bit floats and "
        "in torch's own layout (channels first)."
    )
    source, target, suffix = "torch_export", "litert", ".tflite"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    group = GROUPS["litert"]
    kind = "litert"

    def convert(self, source: Path, out: Path, options: NoOptions) -> None:
        """Export one sample. Raises Refused for a free size behind the batch, or with what LiteRT Torch cannot lower."""
        program = exported_programs.load(source)
        specs = exported_programs.inputs(program)
        exported_programs.fixed_behind(specs, "LiteRT")
        examples = exported_programs.examples(specs, exported_programs.sized(specs, 1))
        with exported_programs.quiet():
            import litert_torch

            with refusing(
                "LiteRT Torch cannot convert this program",
                "Replace the named part with other torch operators, or convert to ONNX or OpenVINO instead.",
            ):
                written = litert_torch.convert(program.module(), examples)
                written.export(str(out.with_suffix(".tflite")))
        out.with_suffix(".tflite").replace(out)


CONVERTER = TorchExportToLiteRt()
