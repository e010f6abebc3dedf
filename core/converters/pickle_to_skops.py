"""Pickle or joblib to skops: the model without the program that a pickle is."""

from pathlib import Path

from core.domain.errors import refusing
from core.domain.transform import Converter, NoOptions, Tolerance
from core.formats.skops import TRUSTED
from core.libraries.sklearn import Estimator, estimators


class PickleToSkops(Converter):
    """Loads the pickle, which runs its code in the jail after its owner agreed, and saves what is left as skops."""

    title = "Pickle to skops"
    sentence = "Turns a scikit-learn pickle that you trust into a file that loads without running code."
    source, target, suffix = "pickle", "skops", ".skops"
    tolerance = Tolerance(absolute=1e-6, relative=1e-6)

    def convert(self, source: Path, out: Path, options: NoOptions) -> None:
        """Load, save and load again. Raises Refused when a type is off the trust list."""
        import skops.io

        model = estimators.load_pickle(source)
        estimators.check_fitted(model)
        _plain(model)
        with refusing(f"skops cannot save {type(model).__name__}", "Save the model with skops.io.dump yourself."):
            skops.io.dump(model, out)
        estimators.load_skops(out, TRUSTED)


def _plain(model: Estimator) -> None:
    """Write the places of words as Python's numbers: skops gives each of NumPy's a file of its own, more than an archive may hold."""
    for part in [model, *model.get_params(deep=True).values()]:
        words = getattr(part, "vocabulary_", None)
        if isinstance(words, dict):
            part.vocabulary_ = {word: int(place) for word, place in words.items()}


CONVERTER = PickleToSkops()
