"""scikit-learn and what speaks its language (XGBoost): the reference for skops files and pickles."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core.domain.artifact import Signature
from core.domain.runtime import Runtime, Session
from core.formats.skops import TRUSTED
from core.libraries.sklearn import columns, estimators, kept_samples


class SklearnRuntime(Runtime):
    """Calls ``predict`` and ``predict_proba`` with the named columns that the ONNX file of the estimator takes."""

    title = "scikit-learn"
    sentence = "Runs fitted estimators and pipelines from skops files, and from pickles that their owner trusts."
    formats = ("skops", "pickle")
    packages = ("numpy", "pandas", "scikit-learn", "skops", "xgboost-cpu")
    kind = "sklearn"

    def open(self, path: Path, format: str) -> Session:
        """Load the estimator; a pickle only after consent and in the jail, which is the caller's duty. Raises Refused."""
        model = estimators.load_skops(path, TRUSTED) if format == "skops" else estimators.load_pickle(path)
        estimators.check_fitted(model)
        return EstimatorSession(model)


class EstimatorSession(Session):
    """A fitted estimator; ``thresholds`` are where its trees split the raw columns, by column; ``expects_missing`` says whether NaN is its business, ``stored`` are samples that it keeps, by raw column."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.signature = Signature(estimators.inputs(model), estimators.outputs(model))
        self.domains = estimators.domains(model)
        self.columns = estimators.table_columns(model)
        self.thresholds = columns.thresholds(model)
        self.expects_missing = columns.expects_missing(model)
        self.stored = np.zeros((0, 0))
        if all(spec.dtype != "str" for spec in self.signature.inputs):
            self.stored = kept_samples.raw(model, columns.width(model) or 0)
        if not len(self.stored):
            self.undecided = kept_samples.undecided(model)

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return label and probabilities, label and scores, or the predicted variable."""
        return estimators.answers(self._model, estimators.frame(self._model, inputs))

    def steps(self) -> list[tuple[str, Callable[[Any], Any]]]:
        """Return the steps of a pipeline, with the columns put together first."""
        from sklearn.pipeline import Pipeline

        if not isinstance(self._model, Pipeline):
            return []
        *before, (name, last) = [(name, step) for name, step in self._model.steps if step not in (None, "passthrough")]
        features = [(f"{name}: {type(step).__name__}", step.transform) for name, step in before]
        first = ("Columns into a table", partial(estimators.frame, self._model))
        return [first, *features, (f"{name}: {type(last).__name__}", partial(estimators.answers, last))]


RUNTIME = SklearnRuntime()
