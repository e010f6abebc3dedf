"""PMML to dependency-free C source, by the common form."""

from pathlib import Path

from core.domain.transform import Converter, NoOptions, Tolerance
from core.scoring import c_source, pmml_read


class PmmlToCSource(Converter):
    """Every statistical model that is read here becomes one file of tables and loops."""

    title = "PMML to C source"
    sentence = "Writes the model as one C file that needs nothing but the standard library."
    source, target, suffix = "pmml", "c_source", ".c"
    tolerance = Tolerance(absolute=1e-9, relative=1e-9)

    def convert(self, source: Path, out: Path, options: NoOptions) -> None:
        """Write the source. Raises Refused for what is not supported."""
        out.write_text(c_source.write(pmml_read.read(source)), encoding="ascii")


CONVERTER = PmmlToCSource()
