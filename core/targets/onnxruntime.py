"""ONNX Runtime on a processor: what the installed engine loads, as a whole or operator by operator."""

from pathlib import Path

from core.domain.assessment import Fit, Known
from core.domain.target import Target
from core.onnx import engine, one_node


class OnnxRuntimeCpu(Target):
    """The engine that our server and package run on."""

    title = "ONNX Runtime"
    sentence = "A Python package and a server on any machine with a processor."
    format, opset = "onnx", 21
    packaged = tries = True

    def fit(self, path: Path) -> Fit:
        """Load it."""
        return one_node.of_loading(path, engine.load, Known.LOADED)


TARGET = OnnxRuntimeCpu()
