"""ncnn: the layers as text in .param and the weights as .bin, both in one zip."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from core.border import archives
from core.border.archives import Archive
from core.domain.artifact import Dim, Signature, TensorSpec
from core.domain.errors import Refused
from core.domain.format import Format, Risk, Summary, Surroundings
from core.formats.anatomy import drawing, ncnn_param
from core.formats.anatomy.drawing import Drawn
from core.formats.anatomy.findings import info
from core.formats.anatomy.ncnn_param import Row


class Ncnn(Format):
    """A zip of one graph of ncnn's own layers and one file of weights; declarative, so that it needs no consent."""

    title = "ncnn (zip)"
    sentence = "ncnn's own format for phones and small boards: .param and .bin in one zip; one sample at a time."
    suffixes = (".zip",)
    runs_in = Surroundings.DEVICE

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the zip holds exactly one .param and one .bin."""
        kept = [n.lower() for n in names if not archives.JUNK.fullmatch(n)]
        return sorted(n.rpartition(".")[2] for n in kept) == ["bin", "param"]

    def check(self, path: Path) -> Iterator[Risk]:
        """Check the zip, every line of the .param against ncnn's own layers, and that the graph is one."""
        with archives.walk(path) as archive:
            text, weights = halves(archive)
            rows = ncnn_param.parse(archive.read(text, ncnn_param.MAX_BYTES))
            size = archive.members[weights].size
        ncnn_param.check(rows)
        if size % 4:
            raise Refused("The weights are cut off: their size is not a multiple of four bytes.", ncnn_param.AGAIN)
        if any(ncnn_param.shape(row) is None for row in ncnn_param.inputs(rows)):
            yield info("The file does not state the shape of its inputs; give it, or add a data set, to run it.")

    def inspect(self, path: Path) -> Summary:
        """Read inputs, outputs and layers from the text; the weights carry neither names nor shapes."""
        rows = rows_of(path)
        return Summary(
            format=self.id,
            signature=Signature(
                tuple(specs(rows)), tuple(TensorSpec(n, "float32", None) for n in ncnn_param.outputs(rows))
            ),
            operators=dict(Counter(row.type for row in rows if row.type != "Input").most_common()),
            producer="ncnn",
            dependencies=("ncnn",),
        )

    def graph(self, path: Path, out: Path) -> bool:
        """Write the layers as a drawing."""
        rows = rows_of(path)
        nodes = [Drawn(row.type, row.name, row.takes, row.gives) for row in rows if row.type != "Input"]
        ends = [TensorSpec(name, "float32", None) for name in ncnn_param.outputs(rows)]
        out.write_bytes(drawing.onnx("ncnn", nodes, specs(rows), ends, ()))
        return True


def rows_of(path: Path) -> list[Row]:
    """Return the layers of a zip. Raises Refused with the reason."""
    with archives.walk(path) as archive:
        return ncnn_param.parse(archive.read(halves(archive)[0], ncnn_param.MAX_BYTES))


def specs(rows: list[Row]) -> list[TensorSpec]:
    """Return the inputs with a free batch in front, which ncnn itself has not; ids are known by the table they look up."""
    ids, found = ncnn_param.id_bounds(rows), []
    for row in ncnn_param.inputs(rows):
        sample = ncnn_param.shape(row)
        dims: tuple[Dim, ...] | None = None if sample is None else ("batch", *sample)
        found.append(TensorSpec(row.gives[0], "int32" if row.gives[0] in ids else "float32", dims))
    return found


def halves(archive: Archive) -> tuple[str, str]:
    """Return the members with layers and weights. Raises Refused when there is not one of each."""
    plain = archives.flat(archive.names)
    found = [[m for m, name in plain.items() if name.lower().endswith(suffix)] for suffix in (".param", ".bin")]
    if [len(one) for one in found] != [1, 1]:
        raise Refused(
            "The zip does not contain exactly one .param and one .bin file.", "Zip the two files of one model."
        )
    return found[0][0], found[1][0]


FORMAT = Ncnn()
