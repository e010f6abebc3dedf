"""Clean-up without loss: what never changes is computed once, what nothing reads goes, and what is left takes fewer bytes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.errors import Refused
from core.domain.technique import Claim, Family, Keeps, Lesson, Technique
from core.domain.transform import Tolerance
from core.onnx import branches, calibration, files, unread, weights
from core.onnx.integers import already
from core.onnx.names import FreshNames
from core.onnx.storage import LEAST, OPSET, Storage

if TYPE_CHECKING:
    from onnx import ModelProto

SHORT, KEPT = "short", "kept"


@dataclass(frozen=True)
class CleanUpOptions:
    """What happens to the names inside the graph."""

    names: str = field(
        default=SHORT,
        metadata={
            "help": "Shorten the names of internal values, or keep them for the graph viewer.",
            "choices": (SHORT, KEPT),
        },
    )


class CleanUp(Technique):
    """Folds constants, removes dead code, shares equal tensors, and stores each tensor in the smallest exact form."""

    title = "Clean up"
    sentence = "Removes what the answers do not need: constant subgraphs, unused nodes, duplicate tensors, long internal names."
    family, claim = Family.CLEAN_UP, Claim.SIZE
    keeps = Keeps("fashion_cnn", changed=0.0, decibels=80)
    tolerance = Tolerance(absolute=1e-4, relative=1e-4)
    Options = CleanUpOptions

    def apply(self, source: Path, out: Path, options: CleanUpOptions, lesson: Lesson) -> None:
        """Keep the smaller of two ways, with and without folding. Raises Refused where the file does not shrink."""
        plain, folded = files.load(source), _folded(source)
        results = [_cleaned(model, options) for model in (plain, folded) if model is not None]
        best = min(results, key=lambda model: int(model.ByteSize()))
        files.write(best, out)
        if out.stat().st_size >= source.stat().st_size:
            raise Refused(
                "There is nothing to clean up: the file holds no duplicates and nothing unused.",
                "Keep the file as it is.",
            )
        files.loads(out)


def _folded(source: Path) -> "ModelProto | None":
    """Return the model as ONNX Runtime leaves it after its basic rewrites.

    None for a file with integers: ONNX Runtime 1.31.1 rounds the float weights beside them to int8 on the way
    (its WeightBiasQuantization), which is no clean-up.
    """
    quantized = already(node.op_type for node in weights.nodes(files.load(source).graph))
    return None if quantized else calibration.folded(source)


def _cleaned(model: "ModelProto", options: CleanUpOptions) -> "ModelProto":
    """Return the model without what is not needed."""
    storage = Storage(model) if files.opset(model) >= OPSET else None
    unread.sweep(model)
    branches.merge(model)
    if storage:
        for weight in weights.weights(model, LEAST):
            storage.put(weight, weight.array)
    unread.drop_domains(model)
    weights.drop_shapes(model)
    if options.names == SHORT:
        _shorten(model)
    return model


def _shorten(model: "ModelProto") -> None:
    """Give all values but inputs and answers the shortest names, and nodes none."""
    kept = {value.name for value in (*model.graph.input, *model.graph.output)}
    kept |= {tensor.values.name for graph in weights.graphs(model.graph) for tensor in graph.sparse_initializer}
    names = sorted(weights.names(model) - kept - {""})
    fresh = FreshNames(kept)
    instead = {name: fresh.short() for name in names}
    for graph in weights.graphs(model.graph):
        graph.name = graph.name[:1] or "g"
        for value in (*graph.input, *graph.output, *graph.initializer):
            value.name = instead.get(value.name, value.name)
        for node in graph.node:
            node.name = ""
            node.input[:] = [instead.get(name, name) for name in node.input]
            node.output[:] = [instead.get(name, name) for name in node.output]


TECHNIQUE = CleanUp()
