"""Android's accelerators through ONNX Runtime: what its usability checker says for NNAPI."""

from pathlib import Path
from tempfile import TemporaryDirectory

from core.domain.assessment import Fit
from core.domain.target import Target
from core.onnx import mobile


class Nnapi(Target):
    """The partitions that would go to the accelerator, by the table in the installed package."""

    title = "Android (NNAPI)"
    sentence = "Telephones with Android, where ONNX Runtime hands parts to the accelerator."
    format = "ort"
    elsewhere = "No telephone was asked; the answers are those of the processor here."
    tries = falls_back = True

    def fit(self, path: Path) -> Fit:
        """Partition it."""
        from onnxruntime.tools.mobile_helpers import usability_checker

        with TemporaryDirectory() as folder:
            return mobile.fit(path, Path(folder) / "opened.onnx", usability_checker.check_nnapi_partitions)


TARGET = Nnapi()
