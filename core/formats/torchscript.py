"""TorchScript: a torch model with its code in torch's own small language; deprecated by torch, and still widely shared."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from core.border import archives, pickles
from core.border.archives import Archive
from core.border.pickles import Built, Global, Trace
from core.domain.artifact import Signature, TensorSpec
from core.domain.errors import Refused
from core.domain.format import Format, Risk, Summary, Tensor
from core.formats.anatomy import script, script_signature, told, torch_files, torch_weights
from core.formats.anatomy.findings import info, warning
from core.formats.anatomy.weight_counts import WeightCounts, is_packed

MEMBERS = re.compile(
    r"(data|constants|traced_inputs|bytecode|attributes|__torch__)\.pkl|(data|constants|traced_inputs)/\d+|code/.+\.py(\.debug_pkl)?"
    r"|mobile_debug_handles\.pkl|mobile_debug/.*|version|byteorder|\.format_version|\.storage_alignment"
    r"|\.data/(version|serialization_id)|extra/.*"
)
PICKLES = ("data", "constants", "traced_inputs", "attributes")
SCRIPT_CALLS = re.compile(r"torch\.jit\._pickle\.(build_(int|tensor|double|bool)list|restore_type_tag)")
SCRIPT_CLASS = re.compile(r"__torch__(\.[A-Za-z_]\w*)+")
QUANTIZED = re.compile(r"__torch__\.torch\.classes\.(quantized|rnn|sparse)\.\w+")
AGAIN = "Ask the author for ONNX, or export the model with torch.export."


class TorchScript(Format):
    """A zip of weights and source; the source can read and write files when it runs, so that it runs in the jail only."""

    title = "TorchScript"
    sentence = "A scripted or traced torch model with its code inside: complete, except that its input shapes are not recorded."
    suffixes = (".pt", ".ts", ".jit", ".torchscript")
    code_bearing = True
    lists_tensors = True

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the zip holds torch's pickle together with source."""
        inner = {n.partition("/")[2] for n in names}
        return "data.pkl" in inner and ("constants.pkl" in inner or any(n.startswith("code/") for n in inner))

    def check(self, path: Path) -> Iterator[Risk]:
        """Check the members, the names in the pickles, the tensors, and each operator that the source calls."""
        with archives.walk(path) as archive:
            top = torch_files.prefix(archive)
            for name in archive.names:
                if not MEMBERS.fullmatch(name.partition("/")[2]):
                    raise Refused(
                        f"The file carries {name.partition('/')[2][:80]!r}, which TorchScript does not have.", AGAIN
                    )
            for part in PICKLES:
                if f"{top}/{part}.pkl" in archive.members:
                    _check_pickle(archive, top, part)
            source = _source(archive, top)
            told = script_signature.read(archive, top)
        if told is None:
            yield info(
                "TorchScript does not record input shapes: a conversion needs them, or an example from a data set."
            )
        if source.at_load:
            yield warning(
                "The model's code runs while it is loaded (__setstate__); it runs in the sandbox.", source.at_load[0]
            )
        if source.loops:
            yield info("The code has loops whose length can depend on the input.")

    def inspect(self, path: Path) -> Summary:
        """Read names, weights and operators from the text of the file."""
        with archives.walk(path) as archive:
            top = torch_files.prefix(archive)
            trace = torch_files.trace_member(archive, f"{top}/data.pkl")
            source = _source(archive, top)
            signature = script_signature.read(archive, top) or _signature(archive, top, trace)
            version = _version(archive, top)
            entries = told.beside(archive, top, (script_signature.MEMBER,))
        counts = WeightCounts()
        for name, tensor, is_parameter in _weights(trace.result, source.parameters):
            count = counts.add if is_parameter or is_packed(tensor.dtype, tensor.shape) else counts.mention
            count(name, tensor.dtype, tensor.shape)
        return Summary(
            format=self.id,
            signature=signature,
            **counts.facts,
            operators=dict(source.operators.most_common()),
            producer="torch (TorchScript)",
            dependencies=("torch", *sorted(source.packages)),
            notes={
                "archive_version": version[:20],
                **({"metadata": told.shown(entries)} if entries else {}),
            },
        )

    def tensors(self, path: Path) -> Iterator[Tensor]:
        """Yield the tensors of the modules; those in the code's own constants are left out."""
        with archives.walk(path) as archive:
            top = torch_files.prefix(archive)
            trace = torch_files.trace_member(archive, f"{top}/data.pkl")
            for name, view, _ in _weights(trace.result, {}):
                load = partial(torch_files.numbers, archive, f"{top}/data/{view.key}", view)
                yield Tensor(name, view.dtype, view.shape, load)


def _check_pickle(archive: Archive, top: str, part: str) -> None:
    trace = torch_files.trace_member(archive, f"{top}/{part}.pkl")
    torch_weights.check_names(trace, _allows, f"The part {part}.pkl")
    held = {tensor.key: tensor.held * tensor.width for tensor in torch_weights.tensors(trace)}
    if part != "traced_inputs":
        torch_files.check_members(archive, f"{top}/{part}", held)


def _allows(name: Global) -> bool:
    """Say whether a name is torch's, or a class whose source is in the file."""
    if SCRIPT_CALLS.fullmatch(name.path) or QUANTIZED.fullmatch(name.path):
        return True
    if SCRIPT_CLASS.fullmatch(name.path):
        return not name.path.startswith("__torch__.torch.classes.")
    return pickles.torch_allows(name)


def _source(archive: Archive, top: str) -> script.ScriptSource:
    source = script.ScriptSource()
    for name in archive.names:
        if name.startswith(f"{top}/code/") and name.endswith(".py"):
            script.read(archive.read(name, script.MAX_TEXT), name.partition("/")[2], source)
    return source


def _weights(model: object, parameters: dict[str, set[str]]) -> Iterator[tuple[str, torch_weights.TensorView, bool]]:
    """Yield name and view of each tensor, and whether its module lists it as trained; shared modules once."""
    seen: set[int] = set()
    pending: list[tuple[str, object]] = [("", model)]
    while pending:
        path, module = pending.pop()
        if not isinstance(module, Built) or id(module) in seen:
            continue
        seen.add(id(module))
        if QUANTIZED.fullmatch(module.path):
            yield from ((f"{path}.{name}", tensor, True) for name, tensor in torch_weights.named(module.state))
        if not isinstance(module.state, dict):
            continue
        for attribute, child in module.state.items():
            name = f"{path}.{attribute}" if path else str(attribute)
            tensor = torch_weights.tensor(child)
            if tensor is not None:
                yield name, tensor, attribute in parameters.get(module.path, ())
            else:
                pending.append((name, child))


def _signature(archive: Archive, top: str, trace: Trace) -> Signature:
    """Read the arguments of the outermost module's ``forward``; shapes are unknown."""
    callee = getattr(trace.result, "callee", None)
    if not isinstance(callee, Global):
        return Signature()
    member = f"{top}/{script.member_of(callee.module)}"
    if member not in archive.members:
        return Signature()
    tree = script.read(archive.read(member, script.MAX_TEXT), member, script.ScriptSource())
    inputs = tuple(TensorSpec(name, _kind(kind), None) for name, kind in script.forward_inputs(tree, callee.name) or ())
    result = script.forward_outputs(tree, callee.name)
    return Signature(inputs, (TensorSpec("output", _kind(result), None),) if result else ())


def _version(archive: Archive, top: str) -> str:
    """Read the archive's version, which torch keeps in one of two places."""
    places = [name for name in (f"{top}/version", f"{top}/.data/version") if name in archive.members]
    return archive.read(places[0], 64).decode("ascii", "replace").strip() if places else ""


def _kind(annotation: str) -> str:
    """Return the dtype word for a type of TorchScript: tensors do not tell theirs."""
    return {"Tensor": "unknown", "int": "int64", "float": "float64", "bool": "bool"}.get(annotation, annotation[:60])


FORMAT = TorchScript()
