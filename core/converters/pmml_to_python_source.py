"""PMML to dependency-free Python source, by the common form."""

from pathlib import Path

from core.domain.transform import Converter, NoOptions, Tolerance
from core.scoring import pmml_read, python_source


class PmmlToPythonSource(Converter):
    """Every statistical model that is read here becomes one file of tables and loops."""

    title = "PMML to Python source"
    sentence = "Writes the model as one Python file that needs nothing but the standard library."
    source, target, suffix = "pmml", "python_source", ".py"
    tolerance = Tolerance(absolute=1e-9, relative=1e-9)

    def convert(self, source: Path, out: Path, options: NoOptions) -> None:
        """Write the source. Raises Refused for what is not supported."""
        out.write_text(python_source.write(pmml_read.read(source)), encoding="ascii")


CONVERTER = PmmlToPythonSource()
