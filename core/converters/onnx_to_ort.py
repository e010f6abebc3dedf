"""ONNX to the ORT format, which ONNX Runtime Mobile and Web load without the ONNX parser."""

import os
from dataclasses import dataclass
from pathlib import Path

from core.domain.errors import refusing
from core.domain.transform import Converter, Tolerance, option

GROWTH = 1.2
"""How much a file may grow by what is computed once for all."""
LEVELS = {"disabled": "ORT_DISABLE_ALL", "basic": "ORT_ENABLE_BASIC", "extended": "ORT_ENABLE_EXTENDED"}


@dataclass(frozen=True)
class SaveOptions:
    """How much is optimised before saving; the highest level is left out because it ties the file to one processor."""

    level: str = option("basic", "Level of graph optimisation before saving.", choices=tuple(LEVELS))


class OnnxToOrt(Converter):
    """Has ONNX Runtime save what it loaded, with weights of few bits as they are, and loads it again."""

    title = "ONNX to ORT"
    sentence = "Writes the file that ONNX Runtime loads fastest, with its graph already optimised."
    source, target, suffix = "onnx", "ort", ".ort"
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    Options = SaveOptions

    def convert(self, source: Path, out: Path, options: SaveOptions) -> None:
        """Save and load again. Raises Refused with the engine's first line when it cannot."""
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads, settings.log_severity_level = 1, 4
        settings.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, LEVELS[options.level])
        settings.optimized_model_filepath = str(out)
        settings.add_session_config_entry("session.save_model_format", "ORT")
        again = onnxruntime.SessionOptions()
        again.log_severity_level = 4
        again.add_session_config_entry("session.load_model_format", "ORT")
        with refusing("ONNX Runtime refuses", "Convert the file to another opset first."):
            onnxruntime.InferenceSession(str(source), settings, providers=["CPUExecutionProvider"])
            if out.stat().st_size > GROWTH * source.stat().st_size:
                # Weights that the graph widens from a few bits would be stored wide.
                onnxruntime.InferenceSession(
                    str(source), settings, providers=["CPUExecutionProvider"], disabled_optimizers=["ConstantFolding"]
                )
            onnxruntime.InferenceSession(str(out), again, providers=["CPUExecutionProvider"])


CONVERTER = OnnxToOrt()
