"""Triton Inference Server: its ONNX backend is ONNX Runtime, of a version that cannot be asked here."""

from pathlib import Path

from core.domain.assessment import Fit, Known
from core.domain.target import Target
from core.onnx import engine, one_node


class Triton(Target):
    """The same folder that our server reads, with ``config.pbtxt``."""

    title = "Triton Inference Server"
    sentence = "A model repository for Triton and KServe; the server itself is not run here."
    format, opset = "onnx", 20
    elsewhere = (
        "Triton itself was not run; the same file was loaded and served by ONNX Runtime, which its backend wraps."
    )
    packaged = tries = True

    def fit(self, path: Path) -> Fit:
        """Load it with the same engine, which Triton wraps."""
        return one_node.of_loading(path, engine.load, Known.RELATED)


TARGET = Triton()
