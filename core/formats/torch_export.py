"""Exported torch programs (``.pt2``): graph, weights and signature in one zip, complete without the model's Python source."""

import re
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from core.border import archives
from core.border.archives import Archive
from core.domain.errors import Refused, first_line
from core.domain.format import Format, Risk, Summary, Surroundings, Tensor
from core.formats.anatomy import program, program_view, told, torch_files
from core.formats.anatomy.findings import info, parse_json, warning
from core.formats.anatomy.weight_counts import WeightCounts, is_packed

MEMBERS = re.compile(
    r"models/model\.json|data/weights/(weight_\d+|model_weights_config\.json)|data/constants/(tensor_\d+|model_constants_config\.json)"
    r"|data/sample_inputs/model\.pt|archive_format|archive_version|byteorder|version|\.format_version|\.storage_alignment"
    r"|\.data/(version|serialization_id)|extra/.*"
)
WEIGHT, CONSTANT = re.compile(r"weight_\d{1,9}"), re.compile(r"tensor_\d{1,9}")
MAX_JSON = 64 << 20
AGAIN = "Export the model again with torch.export.save."
OLD = "serialized_exported_program.json"


class TorchExport(Format):
    """A zip with a JSON program; its loader can run code from the file, so that each part is on a list or refused."""

    title = "PyTorch (.pt2)"
    sentence = (
        "The complete torch model, graph and weights, without its Python source: the best start for a conversion."
    )
    suffixes = (".pt2",)
    runs_in = Surroundings.PYTHON
    code_bearing = True
    lists_tensors = True

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the zip is laid out like an exported program, today's or an older one's."""
        inner = {n.partition("/")[2] for n in names}
        return OLD in names or "archive_format" in inner or any(re.fullmatch(r"models/[^/]+\.json", n) for n in inner)

    def check(self, path: Path) -> Iterator[Risk]:
        """Check the members, the program's JSON, the weights and the sample inputs."""
        with archives.walk(path) as archive:
            if OLD in archive.names:
                raise Refused("The program was written by torch before 2.8, whose format needs pickle.", AGAIN)
            top = torch_files.prefix(archive)
            for name in archive.names:
                if not MEMBERS.fullmatch(name.partition("/")[2]):
                    raise Refused(
                        f"The program carries {name.partition('/')[2][:80]!r}, which is compiled code or an object.",
                        AGAIN,
                    )
            content = _json(archive, f"{top}/models/model.json")
            try:
                program.check(content)
                _check_weights(archive, top)
                program_view.signature(content)
                program_view.operators(content["graph_module"]["graph"])
                elsewhere = program_view.devices(content) - {"cpu"}
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                raise Refused(
                    f"The program does not have the form that torch writes ({type(error).__name__}: {first_line(error)[:60]}).",
                    AGAIN,
                ) from None
            _check_samples(archive, f"{top}/data/sample_inputs/model.pt")
            if any("/extra/" in name and not name.endswith(f"/extra/{told.MEMBER}") for name in archive.names):
                yield info("The file contains extra files of its author; the program does not read them.")
            if elsewhere:
                yield warning("The program was exported on an accelerator: its graph may name that device.")

    def inspect(self, path: Path) -> Summary:
        """Read signature, operators and weights from the JSON."""
        with archives.walk(path) as archive:
            top = torch_files.prefix(archive)
            content = _json(archive, f"{top}/models/model.json")
            counts, entries = _weight_counts(archive, top), told.beside(archive, top)
        graph = content["graph_module"]["graph"]
        return Summary(
            format=self.id,
            signature=program_view.signature(content),
            **counts.facts,
            operators=program_view.operators(graph),
            producer=f"torch {content.get('torch_version', '')}"[:60].strip(),
            dependencies=(f"torch {content.get('torch_version', '')}"[:60].strip(), *program_view.packages(graph)),
            notes={
                "opset": {str(k)[:40]: int(v) for k, v in content["opset_version"].items()},
                **({"metadata": told.shown(entries)} if entries else {}),
            },
        )

    def graph(self, path: Path, out: Path) -> bool:
        """Write the program as an ONNX-shaped graph of torch's operators, for drawing."""
        with archives.walk(path) as archive:
            content = _json(archive, f"{torch_files.prefix(archive)}/models/model.json")
        try:
            out.write_bytes(program_view.drawing(content))
        except (KeyError, TypeError, ValueError, AttributeError):
            return False
        return True

    def tensors(self, path: Path) -> Iterator[Tensor]:
        """Yield weights and constants."""
        with archives.walk(path) as archive:
            top = torch_files.prefix(archive)
            for folder, pattern in (("weights", WEIGHT), ("constants", CONSTANT)):
                for name, member, _, view in program.tensors(_config(archive, top, folder), pattern):
                    load = partial(torch_files.numbers, archive, f"{top}/data/{folder}/{member}", view)
                    yield Tensor(name, view.dtype, view.shape, load)


def _check_weights(archive: Archive, top: str) -> None:
    for folder, pattern in (("weights", WEIGHT), ("constants", CONSTANT)):
        for name, member, _, view in program.tensors(_config(archive, top, folder), pattern):
            place = f"{top}/data/{folder}/{member}"
            if place not in archive.members:
                raise Refused(f"The weight {name[:60]!r} is missing from the file.", AGAIN)
            program.check_stored(name, view, archive.members[place].size)


def _check_samples(archive: Archive, name: str) -> None:
    """Check the sample inputs: torch loads them as any pickle when they are not plain tensors."""
    if not archive.members[name].size if name in archive.members else True:
        return
    with tempfile.TemporaryDirectory(prefix="samples-") as folder:
        copy = Path(folder) / "samples"
        archive.copy(name, copy)
        torch_files.check(copy, "The sample inputs of the program")


def _weight_counts(archive: Archive, top: str) -> WeightCounts:
    counts = WeightCounts()
    for folder, pattern in (("weights", WEIGHT), ("constants", CONSTANT)):
        for name, member, is_parameter, view in program.tensors(_config(archive, top, folder), pattern):
            if not is_parameter and not is_packed(view.dtype, view.shape):
                counts.mention(name, view.dtype, view.shape)
                continue
            counts.add(name, view.dtype, view.shape)
            with archive.open(f"{top}/data/{folder}/{member}") as stream:
                counts.measure_stream(stream, archive.members[f"{top}/data/{folder}/{member}"].size, view.dtype)
    return counts


def _config(archive: Archive, top: str, folder: str) -> Any:
    return _json(archive, f"{top}/data/{folder}/model_{folder}_config.json")


def _json(archive: Archive, name: str) -> Any:
    return parse_json(archive.read(name, MAX_JSON), name.partition("/")[2])


FORMAT = TorchExport()
