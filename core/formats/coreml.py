"""Core ML: an .mlpackage of a manifest, a program and its weights, as one zip."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from core.border import archives
from core.border.archives import Archive
from core.domain.errors import Refused
from core.domain.format import Format, Risk, Summary, Surroundings
from core.formats.anatomy import drawing, mlprogram
from core.formats.anatomy.drawing import Drawn
from core.formats.anatomy.findings import info
from core.formats.anatomy.mlprogram import MlProgram
from core.formats.anatomy.weight_counts import WeightCounts

PLACE = re.compile(
    r"((?:[A-Za-z0-9_][A-Za-z0-9_.() -]{0,100}/)?)(Manifest\.json|Data/com\.apple\.CoreML/(?:model\.mlmodel|weights/weight\.bin))"
)
MODEL, WEIGHTS = "Data/com.apple.CoreML/model.mlmodel", "Data/com.apple.CoreML/weights/weight.bin"
MAX_WEIGHTS = 2 << 30


class CoreMl(Format):
    """A program of Apple's own operations; declarative, so that it needs no consent, and never loaded here."""

    title = "Core ML package (zip)"
    sentence = "Apple's format for iPhone, iPad and Mac: an ML program with its weights; it runs on Apple devices only."
    suffixes = (".zip",)
    runs_in = Surroundings.DEVICE

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the zip holds a Core ML program in its place."""
        return any(one.endswith(MODEL) for one in names)

    def check(self, path: Path) -> Iterator[Risk]:
        """Check that the package holds nothing else, that the program calls no code from outside, and the places of its weights."""
        with archives.walk(path) as archive:
            model, weights = _read(archive)
        mlprogram.check(model, weights)
        yield info("A Core ML program runs on Apple devices only; it is read here, but never run.")

    def inspect(self, path: Path) -> Summary:
        """Read signature, operations and weights."""
        with archives.walk(path) as archive:
            model, weights = _read(archive)
        counts = WeightCounts()
        for one in model.weights:
            counts.add(one.name, one.dtype, one.shape)
        return Summary(
            format=self.id,
            signature=model.signature,
            **counts.facts,
            operators=dict(Counter(o.type for o in model.operations if o.type != "const").most_common()),
            producer="Core ML Tools",
            opset=model.version,
            dependencies=("Core ML",),
            notes={"weight_bytes": len(weights)},
        )

    def graph(self, path: Path, out: Path) -> bool:
        """Write the operations as a drawing."""
        with archives.walk(path) as archive:
            model, _ = _read(archive)
        consts = {name for o in model.operations if o.type == "const" for name in o.gives}
        nodes = [
            Drawn(o.type, o.gives[0] if o.gives else "", tuple(n for n in o.takes if n not in consts), o.gives)
            for o in model.operations
            if o.type != "const"
        ]
        out.write_bytes(drawing.onnx("coreml", nodes, model.signature.inputs, model.signature.outputs, ()))
        return True


def _read(archive: Archive) -> tuple[MlProgram, bytes]:
    """Return program and weights. Raises Refused for a member that is no part of a package."""
    kept = [name for name in archive.names if not archives.JUNK.fullmatch(name)]
    places = {match[2]: name for name in kept if (match := PLACE.fullmatch(name))}
    if (
        len(places) != len(kept)
        or len({name[: -len(place)] for place, name in places.items()}) != 1
        or MODEL not in places
    ):
        odd = sorted(set(kept) - set(places.values()))
        raise Refused(
            f"The package contains files that Core ML does not need: {', '.join(odd)[:160] or 'two packages'}.",
            "Zip one .mlpackage as Core ML Tools wrote it.",
        )
    weights = archive.read(places[WEIGHTS], MAX_WEIGHTS) if WEIGHTS in places else b""
    return mlprogram.read(archive.read(places[MODEL], mlprogram.MAX_BYTES)), weights


FORMAT = CoreMl()
