"""scikit-learn (skops) to PMML by the common form, without Java; boosted trees of XGBoost and LightGBM inside pipelines too."""

from pathlib import Path
from typing import Any

from core.domain.errors import Refused
from core.domain.transform import Converter, NoOptions, Tolerance
from core.formats.skops import TRUSTED
from core.libraries.fitted import models
from core.libraries.sklearn import columns, estimators
from core.scoring import pmml_read, pmml_write
from core.scoring.form import Input

PRODUCER = "Portolan"


class SkopsToPmml(Converter):
    """Takes the raw columns by name, numbers in float64; trees of scikit-learn still compare in float32, as they do there."""

    title = "scikit-learn to PMML"
    sentence = (
        "Writes linear models, trees, forests, boosting, naive Bayes, k-means, networks and pipelines as PMML 4.4."
    )
    source, target, suffix = "skops", "pmml", ".pmml"
    tolerance = Tolerance(absolute=1e-5, relative=1e-5)

    def convert(self, source: Path, out: Path, options: NoOptions) -> None:
        """Convert, and read back. Raises Refused naming every step that has no form in PMML here."""
        model = estimators.load_skops(source, TRUSTED)
        estimators.check_fitted(model)
        out.write_bytes(pmml_write.write(models.form(model, inputs(model)), PRODUCER))
        pmml_read.read(out)


def inputs(model: Any) -> tuple[Input, ...]:
    """Return the raw columns under their own names, else as x1, x2, and so on."""
    estimators.inputs(model)
    count, texts = columns.width(model) or 0, columns.text_columns(model)
    told = getattr(model, "feature_names_in_", None)
    names = [str(name) for name in told] if told is not None else [f"x{place + 1}" for place in range(count)]
    if len(set(names)) != len(names):
        raise Refused("Two columns of the estimator have the same name.", "Rename one, and fit the model again.")
    missing = ("",) if columns.text_imputers(model) else ()
    return tuple(
        Input(name, "string", missing, texts[place]) if place in texts else Input(name, "double")
        for place, name in enumerate(names)
    )


CONVERTER = SkopsToPmml()
