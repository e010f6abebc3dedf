"""The shelf of converters: one file a pair, found by breadth-first search when a pair needs more than one.

Every converter writes a file that it has checked and loaded; whether the answers are right is the proof's question.
"""

from collections import deque

from core.converters import (
    onnx_external_to_onnx,
    onnx_to_onnx,
    onnx_to_ort,
    pickle_to_skops,
    skops_to_onnx,
    torch_export_to_onnx,
    torchscript_to_onnx,
)
from core.domain.errors import Refused
from core.domain.shelf import Shelf
from core.domain.transform import Converter

CONVERTERS: Shelf[Converter] = Shelf(
    "converter",
    torch_export_to_onnx.CONVERTER,
    torchscript_to_onnx.CONVERTER,
    skops_to_onnx.CONVERTER,
    pickle_to_skops.CONVERTER,
    onnx_to_onnx.CONVERTER,
    onnx_external_to_onnx.CONVERTER,
    onnx_to_ort.CONVERTER,
)

NO_ROUTE = {
    "torch_checkpoint": "A checkpoint holds weights without the network that they belong to: export the model with torch.export.save.",
    "safetensors": "The file holds weights without the network that they belong to: export the model with torch.export.save.",
    "ort": "An ORT file is a final form: convert the ONNX file that it was made from.",
}


def route(source: str, target: str) -> tuple[Converter, ...]:
    """Return the shortest row of converters from one format to another; the earlier row of the table wins a tie.

    A format leads to itself only where a converter says so. Raises Refused when there is no way.
    """
    paths: deque[tuple[Converter, ...]] = deque((c,) for c in CONVERTERS if c.source == source)
    seen = {source}
    while paths:
        path = paths.popleft()
        reached = path[-1].target
        if reached == target:
            return path
        if reached not in seen:
            seen.add(reached)
            paths.extend((*path, c) for c in CONVERTERS if c.source == reached)
    raise Refused(f"No converter leads from {source} to {target}.", NO_ROUTE.get(source, _reachable(source)))


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
    return f"From here you can reach: {', '.join(found)}." if found else "Nothing here reads this format as a source."
