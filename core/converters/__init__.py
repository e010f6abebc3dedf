"""The shelf of converters: one file a pair, found by breadth-first search when a pair needs more than one.

Every converter writes a file that it has checked and loaded; whether the answers are right is the proof's question.
"""

from collections import deque

from core.converters import (
    catboost_to_onnx,
    catboost_to_pmml,
    keras_h5_to_onnx,
    keras_h5_to_saved_model,
    keras_h5_to_torch_export,
    keras_to_onnx,
    keras_to_saved_model,
    keras_to_torch_export,
    lightgbm_to_onnx,
    lightgbm_to_pmml,
    litert_to_openvino,
    onnx_external_to_onnx,
    onnx_to_ncnn,
    onnx_to_onnx,
    onnx_to_openvino,
    onnx_to_ort,
    onnx_to_torch_export,
    onnx_to_torchscript,
    onnx_to_web_package,
    pickle_to_skops,
    pmml_to_c_source,
    pmml_to_onnx,
    pmml_to_python_source,
    safetensors_to_torch_export,
    saved_model_to_openvino,
    skops_to_onnx,
    skops_to_pmml,
    torch_checkpoint_to_torch_export,
    torch_export_to_coreml,
    torch_export_to_executorch,
    torch_export_to_litert,
    torch_export_to_ncnn,
    torch_export_to_onnx,
    torchscript_to_ncnn,
    torchscript_to_onnx,
    torchscript_to_openvino,
    xgboost_to_onnx,
    xgboost_to_pmml,
)
from core.domain.errors import Refused
from core.domain.shelf import Shelf
from core.domain.transform import Converter

CONVERTERS: Shelf[Converter] = Shelf(
    "converter",
    torch_export_to_onnx.CONVERTER,
    torchscript_to_onnx.CONVERTER,
    keras_to_onnx.CONVERTER,
    keras_h5_to_onnx.CONVERTER,
    keras_to_torch_export.CONVERTER,
    keras_h5_to_torch_export.CONVERTER,
    keras_to_saved_model.CONVERTER,
    keras_h5_to_saved_model.CONVERTER,
    skops_to_onnx.CONVERTER,
    pickle_to_skops.CONVERTER,
    xgboost_to_onnx.CONVERTER,
    lightgbm_to_onnx.CONVERTER,
    catboost_to_onnx.CONVERTER,
    skops_to_pmml.CONVERTER,
    xgboost_to_pmml.CONVERTER,
    lightgbm_to_pmml.CONVERTER,
    catboost_to_pmml.CONVERTER,
    pmml_to_python_source.CONVERTER,
    pmml_to_c_source.CONVERTER,
    pmml_to_onnx.CONVERTER,
    onnx_to_onnx.CONVERTER,
    onnx_external_to_onnx.CONVERTER,
    onnx_to_ort.CONVERTER,
    onnx_to_web_package.CONVERTER,
    onnx_to_openvino.CONVERTER,
    onnx_to_torch_export.CONVERTER,
    onnx_to_torchscript.CONVERTER,
    torch_checkpoint_to_torch_export.CONVERTER,
    safetensors_to_torch_export.CONVERTER,
    torchscript_to_openvino.CONVERTER,
    litert_to_openvino.CONVERTER,
    saved_model_to_openvino.CONVERTER,
    torch_export_to_litert.CONVERTER,
    torch_export_to_executorch.CONVERTER,
    torch_export_to_coreml.CONVERTER,
    torch_export_to_ncnn.CONVERTER,
    torchscript_to_ncnn.CONVERTER,
    onnx_to_ncnn.CONVERTER,
)

NO_ROUTE = {
    "executorch": "An ExecuTorch program cannot be converted further: convert the file that it was made from.",
    "python_source": "Source code cannot be converted further: convert the model that it was made from.",
    "c_source": "Source code cannot be converted further: convert the model that it was made from.",
    "coreml": "A Core ML package cannot be converted further: convert the file that it was made from.",
    "ncnn": "An ncnn model cannot be converted further: convert the file that it was made from.",
    "openvino": "An OpenVINO model cannot be converted further: convert the file that it was made from.",
    "web_package": "A web package cannot be converted further: take model.onnx out of the zip and open that.",
    "ort": "An ORT file cannot be converted further: convert the ONNX file that it was made from.",
}


def route(source: str, target: str) -> tuple[Converter, ...]:
    """Return the shortest row of converters from one format to another; the earlier row of the table wins a tie.

    Converters that can run here come first; a row with one that cannot is the answer only where there is no other.
    A format leads to itself only where a converter says so. Raises Refused when there is no way.
    """
    ready = [converter for converter in CONVERTERS if converter.unavailable() is None]
    found = _shortest(source, target, ready) or _shortest(source, target, list(CONVERTERS))
    if not found:
        raise Refused(f"No converter leads from {source} to {target}.", NO_ROUTE.get(source, _reachable(source)))
    return found


def unavailable(steps: tuple[Converter, ...]) -> str | None:
    """Return why a row of converters cannot run on this machine, or None when it can."""
    return next((reason for step in steps if (reason := step.unavailable())), None)


def _shortest(source: str, target: str, converters: list[Converter]) -> tuple[Converter, ...]:
    paths: deque[tuple[Converter, ...]] = deque((c,) for c in converters if c.source == source)
    seen = {source}
    while paths:
        path = paths.popleft()
        reached = path[-1].target
        if reached == target:
            return path
        if reached not in seen:
            seen.add(reached)
            paths.extend((*path, c) for c in converters if c.source == reached)
    return ()


def targets(source: str) -> tuple[str, ...]:
    """Return the formats that a format can be turned into, nearest first."""
    found: dict[str, None] = {}
    queue = deque([source])
    while queue:
        here = queue.popleft()
        for converter in CONVERTERS:
            if converter.source == here and converter.target not in found:
                found[converter.target] = None
                queue.append(converter.target)
    return tuple(found)


def _reachable(source: str) -> str:
    found = targets(source)
    return f"Formats that can be reached: {', '.join(found)}." if found else "No converter reads this format."
