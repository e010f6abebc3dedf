"""Clean-up without loss: what never changes is computed once, what nothing reads goes, and what is left takes fewer bytes."""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from core.domain.errors import Refused
from core.domain.technique import Claim, Family, Keeps, Lesson, Technique
from core.domain.transform import Tolerance
from core.onnx import files, weights
from core.onnx.integers import already
from core.onnx.names import FreshNames
from core.onnx.storage import LEAST, OPSET, Storage
from core.onnx.unfolding import sweep

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto

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
    """Return the model as ONNX Runtime leaves it after its basic rewrites, or None where they need its own operators.

    None also for a file with integers: ONNX Runtime 1.31.1 rounds the float weights beside them to int8 on the way
    (its WeightBiasQuantization), which is no clean-up.
    """
    before = [node for graph in weights.graphs(files.load(source).graph) for node in graph.node]
    if already(node.op_type for node in before):
        return None
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    with tempfile.TemporaryDirectory() as scratch:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(scratch) / "folded.onnx")
        try:
            onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            cause = files.first_line(error)
            raise Refused(f"ONNX Runtime cannot load this file: {cause}", "Export it again.") from None
        folded = files.load(Path(options.optimized_model_filepath))
    return folded if _domains(folded) <= {node.domain for node in before} | {"", "ai.onnx"} else None


def _domains(model: "ModelProto") -> set[str]:
    return {node.domain for graph in weights.graphs(model.graph) for node in graph.node}


def _cleaned(model: "ModelProto", options: CleanUpOptions) -> "ModelProto":
    """Return the model without what is not needed."""
    storage = Storage(model) if files.opset(model) >= OPSET else None
    sweep(model, lambda node: True)
    _share_equal(model.graph)
    if storage:
        for weight in weights.weights(model, LEAST):
            storage.put(weight, weight.array)
    if not model.functions:
        _drop_domains(model)
    for graph in weights.graphs(model.graph):
        del graph.value_info[:]
    if options.names == SHORT:
        _shorten(model)
    return model


def _share_equal(graph: "GraphProto") -> None:
    """Let readers of equal tensors of the main graph read the first of them."""
    answers = {value.name for value in (*graph.output, *graph.input)}
    first: dict[bytes, str] = {}
    instead: dict[str, str] = {}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in answers]:
        bare = type(tensor)()
        bare.CopyFrom(tensor)
        bare.name = bare.doc_string = ""
        kept = first.setdefault(bare.SerializeToString(deterministic=True), tensor.name)
        if kept != tensor.name:
            instead[tensor.name] = kept
            graph.initializer.remove(tensor)
    _rename(graph, instead)


def _drop_domains(model: "ModelProto") -> None:
    """Drop operator sets that no node uses; the default one stays."""
    used = _domains(model) | {"", "ai.onnx"}
    for one in [one for one in model.opset_import if one.domain not in used]:
        model.opset_import.remove(one)


def _shorten(model: "ModelProto") -> None:
    """Give all values but inputs and answers the shortest names, and nodes none."""
    kept = {value.name for value in (*model.graph.input, *model.graph.output)}
    kept |= {tensor.values.name for graph in weights.graphs(model.graph) for tensor in graph.sparse_initializer}
    names = sorted(weights.names(model) - kept - {""})
    fresh = FreshNames(kept)
    _rename(model.graph, {name: fresh.short() for name in names})
    for graph in weights.graphs(model.graph):
        graph.name = graph.name[:1] or "g"
        for node in graph.node:
            node.name = ""


def _rename(graph: "GraphProto", instead: dict[str, str]) -> None:
    for each in weights.graphs(graph):
        for value in (*each.input, *each.output, *each.initializer, *each.value_info):
            value.name = instead.get(value.name, value.name)
        for node in each.node:
            node.input[:] = [instead.get(name, name) for name in node.input]
            node.output[:] = [instead.get(name, name) for name in node.output]


TECHNIQUE = CleanUp()
