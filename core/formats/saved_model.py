"""TensorFlow SavedModels: a folder with ``saved_model.pb`` and its variables, in one zip."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from core.border import archives
from core.border.archives import Archive
from core.domain.errors import Refused
from core.domain.format import Format, Risk, Summary
from core.formats.anatomy import drawing, tensorflow_graph
from core.formats.anatomy import tensorflow_names as names
from core.formats.anatomy.drawing import Drawn
from core.formats.anatomy.findings import info, warning
from core.formats.anatomy.tensorflow_graph import TensorflowGraph
from core.formats.anatomy.weight_counts import WeightCounts

PROTO = "saved_model.pb"
MAX_PROTO = 512 << 20
MEMBERS = re.compile(
    r"saved_model\.pb|fingerprint\.pb|keras_metadata\.pb|variables/variables\.(index|data-\d{5}-of-\d{5})|assets(\.extra)?/.+"
)
LOADED = re.compile(r"saved_model\.pb|variables/variables\.(index|data-\d{5}-of-\d{5})")
PLUMBING = {"NoOp", "Identity", "IdentityN", "Const", "Placeholder", "VarHandleOp", "ReadVariableOp", "PartitionedCall", "StatefulPartitionedCall", "StopGradient", "DisableCopyOnRead"}  # fmt: skip
SHOWN, MAX_DRAWN = 20, 20_000
CHANGE = "Remove these operators from the model, or export it as ONNX where TensorFlow is installed."


class SavedModel(Format):
    """Takes networks of tensor arithmetic; what runs foreign code or reaches files is refused by name."""

    title = "TensorFlow SavedModel (zip)"
    sentence = "A TensorFlow model as it is served: graph, variables and signatures of one folder, in one zip."
    suffixes = (".zip",)

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the zip holds the graph of a SavedModel, at the top or in one folder."""
        return sum(bool(re.fullmatch(r"([^/]+/)?saved_model\.pb", member)) for member in names) == 1

    def check(self, path: Path) -> Iterator[Risk]:
        """Check the members, and every operator of the graph and of its functions."""
        with archives.walk(path) as archive:
            start = top(archive)
            strange = [
                n for n in archive.names if not (n.startswith(start) and MEMBERS.fullmatch(n.removeprefix(start)))
            ]
            graph = read(archive)
            yield from _judged(graph)
            for member in strange:
                if not archives.JUNK.fullmatch(member):
                    yield warning("The zip contains a file that TensorFlow does not write; it is ignored.", member[:80])
        if graph.assets:
            yield info(f"The model names {len(graph.assets)} asset file(s); they are ignored.")

    def inspect(self, path: Path) -> Summary:
        """Read the serving signature, the operators that it reaches, and the variables."""
        with archives.walk(path) as archive:
            graph = read(archive)
        counts = _weight_counts(graph)
        operators = Counter(node.op for node in tensorflow_graph.reached(graph) if node.op not in PLUMBING)
        producer = f"TensorFlow {graph.version}".strip()
        return Summary(
            format=self.id,
            signature=graph.signatures[graph.serving or ""],
            **counts.facts,
            operators=dict(operators.most_common()),
            producer=producer,
            dependencies=(producer,),
            notes={"signature": graph.serving, "tags": list(graph.tags[:5])},
        )

    def graph(self, path: Path, out: Path) -> bool:
        """Write the operators that serve as an ONNX-shaped graph, for drawing."""
        with archives.walk(path) as archive:
            graph = read(archive)
        nodes = [node for node in tensorflow_graph.reached(graph) if node.op not in ("NoOp", "Placeholder")]
        drawn = [Drawn(node.op, node.name, node.inputs, (node.name,)) for node in nodes[:MAX_DRAWN]]
        sides = graph.signatures[graph.serving or ""]
        out.write_bytes(drawing.onnx("tensorflow", drawn, sides.inputs, sides.outputs, ()))
        return True


def read(archive: Archive) -> TensorflowGraph:
    """Return the graph of a SavedModel. Raises Refused when there is none, or it serves nothing."""
    graph = tensorflow_graph.read(archive.read(top(archive) + PROTO, MAX_PROTO))
    if graph.serving is None or not graph.signatures[graph.serving].outputs:
        raise Refused("The SavedModel has no signature with outputs.", "Save it with signatures, or with model.export.")
    return graph


def top(archive: Archive) -> str:
    """Return the folder that encloses the model in the zip, with its slash, or nothing."""
    return next(name for name in archive.names if name.endswith(PROTO)).removesuffix(PROTO)


def unpack(archive: Archive, folder: Path) -> None:
    """Write graph and variables under names of TensorFlow's own into a folder of ours; assets stay behind."""
    (folder / "variables").mkdir()
    start = top(archive)
    for member in archive.names:
        name = member.removeprefix(start)
        if LOADED.fullmatch(name):
            archive.copy(member, folder / name)


def _judged(graph: TensorflowGraph) -> Iterator[Risk]:
    """Refuse what reaches outside anywhere, and what is no arithmetic where the signature reaches it; all at once."""
    served = {node.op for node in tensorflow_graph.reached(graph)}
    saving = _saving(graph)
    stored = {node.op for node in graph.nodes if node.name not in saving}
    for name, nodes in graph.functions.items():
        stored |= {node.op for node in nodes} - (names.SAVER if names.SAVING.fullmatch(name) else set())
    outside = sorted(op for op in stored | served if names.OUTSIDE.fullmatch(op) or op in names.SAVER)
    unknown = sorted(served - names.ARITHMETIC - set(outside))
    if outside:
        raise Refused(f"The model reaches outside itself (files, code, network): {_listed(outside)}.", CHANGE)
    if unknown:
        raise Refused(f"The model uses operators that are not accepted: {_listed(unknown)}.", CHANGE)
    aside = sorted(op for op in stored - served - names.ARITHMETIC if not names.TRAINING.fullmatch(op))
    if aside:
        yield info(f"Functions outside the serving signatures use other operators: {_listed(aside)}.")


def _saving(graph: TensorflowGraph) -> set[str]:
    """Return the nodes of TensorFlow 1's saver in the main graph, which nobody runs but for restoring the variables.

    A loader runs what restores, with the name of the variables' file in place of the saver's; another name, or saving
    on the way there, on the way to an answer or at the start, is no saver's.
    """
    run = [*graph.started, *(end for ends in graph.ends.values() for end in ends)]
    used = {node.name for node in tensorflow_graph.reached_from(graph, run)}
    restored = {node.name for node in tensorflow_graph.reached_from(graph, [graph.saver.get(3, "")])}
    named = graph.saver.get(1)
    return {
        node.name
        for node in graph.nodes
        if node.op in names.SAVER
        and node.name not in used
        and (node.name not in restored or (node.op == "RestoreV2" and node.inputs[:1] == (named,)))
    }


def _listed(found: list[str]) -> str:
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(name[:60] for name in found[:SHOWN]) + more


def _weight_counts(graph: TensorflowGraph) -> WeightCounts:
    counts = WeightCounts()
    for node in tensorflow_graph.reached(graph):
        if node.op in ("VarHandleOp", "VariableV2") and node.shape is not None and min(node.shape, default=0) >= 0:
            counts.add(node.name, names.DTYPES.get(node.dtype, "float32"), node.shape)
    return counts


FORMAT = SavedModel()
