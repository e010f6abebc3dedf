"""What ONNX Runtime's own usability checker says of a graph for an accelerator of telephones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.domain.assessment import Cell, Fit, Fits, Known
from core.onnx import one_node
from core.onnx.typing import ModelProto

Check = Callable[[Any, bool], Any]
WORDS = {"YES": Fits.YES, "MAYBE": Fits.PARTLY, "NO": Fits.NO}


def fit(path: Path, out: Path, check: Check) -> Fit:
    """Partition the graph, its functions opened first, as it is and with its sizes taken as fixed; ``out`` holds the opened graph."""
    model = _opened(path, out)
    strict, loose = check(model, True), check(model, False)
    word = WORDS[strict.suitability().name]
    fixed = WORDS[loose.suitability().name]
    unsupported = {name.rpartition(":")[2] for name in loose.unsupported_ops}
    detail = (
        f"{strict.num_supported_nodes} of {strict.num_nodes} operators in {strict.num_partitions} parts; "
        f"{loose.num_supported_nodes} in {loose.num_partitions} once the sizes of its inputs are fixed."
    )
    cells = tuple(_cell(name, unsupported) for name in sorted({one_node.named(node) for node in model.graph.node}))
    if word is Fits.NO and fixed is not Fits.NO:
        return Fit(Fits.PARTLY, Known.PARTITIONED, detail, cells)
    return Fit(word, Known.PARTITIONED, detail, cells)


def _cell(operator: str, unsupported: set[str]) -> Cell:
    bare = operator.rpartition(".")[2]
    return Cell(operator, Fits.NO if bare in unsupported else Fits.YES, Known.TABLE)


def _opened(path: Path, out: Path) -> ModelProto:
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(out)
    options.log_severity_level = 4
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return onnx.shape_inference.infer_shapes(onnx.load(out))
