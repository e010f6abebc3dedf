"""XGBoost to PMML, straight from the file: the library is not needed."""

from pathlib import Path

from core.domain.transform import Converter, NoOptions, Tolerance
from core.formats.forests import xgboost
from core.libraries.fitted import forests
from core.scoring import pmml_read, pmml_write


class XgboostToPmml(Converter):
    """Compares in the type in which XGBoost does, and sends missing numbers the same way; leaves are added up in float64."""

    title = "XGBoost to PMML"
    sentence = "Writes trees, categories, missing values and the objective's link function as PMML 4.4."
    source, target, suffix = "xgboost", "pmml", ".pmml"
    tolerance = Tolerance(absolute=1e-5, relative=1e-5)

    def convert(self, source: Path, out: Path, options: NoOptions) -> None:
        """Convert, and read back. Raises Refused for an objective whose link is not known."""
        out.write_bytes(pmml_write.write(forests.form(xgboost.forest(source)), "Portolan"))
        pmml_read.read(out)


CONVERTER = XgboostToPmml()
