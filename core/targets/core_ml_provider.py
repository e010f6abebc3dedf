"""Apple's accelerators through ONNX Runtime: what its usability checker says for Core ML programs."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from core.domain.assessment import Fit
from core.domain.target import Target
from core.onnx import mobile


class CoreMlProvider(Target):
    """The partitions that would go to the accelerator, by the table in the installed package."""

    title = "iPhone and Mac (Core ML through ONNX Runtime)"
    sentence = "Apple devices, where ONNX Runtime hands parts to the accelerator."
    format = "ort"
    elsewhere = "No Apple device was asked; the answers are those of the processor here."
    tries = falls_back = True

    def fit(self, path: Path) -> Fit:
        """Partition it."""
        from onnxruntime.tools.mobile_helpers import usability_checker

        table = "coreml_supported_mlprogram_ops.md"
        check = partial(usability_checker.check_coreml_partitions, config_filename=table)
        with TemporaryDirectory() as folder:
            return mobile.fit(path, Path(folder) / "opened.onnx", check)


TARGET = CoreMlProvider()
