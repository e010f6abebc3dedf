"""Which share of the variation of the labels the model explains."""

from typing import TYPE_CHECKING

from core.domain.metric import Answers, Metric, Needs

if TYPE_CHECKING:
    import numpy as np


class R2(Metric):
    """The coefficient of determination (scikit-learn)."""

    title = "R2"
    sentence = "The share of the variation of the labels that the model explains; 0 is what their mean does."
    needs = Needs.NUMBERS

    def value(self, answers: Answers) -> float | None:
        """Return at most 1; None for labels that are all equal."""
        from sklearn.metrics import r2_score

        return None if len(set(answers.labels.tolist())) < 2 else float(r2_score(answers.labels, answers.found))

    def parts(self, answers: Answers) -> "tuple[np.ndarray, np.ndarray]":
        """Return the squared error of each sample, and the labels less their mean."""
        return self.each(answers), answers.labels - answers.labels.mean()

    def weighed(self, parts: "tuple[np.ndarray, np.ndarray]", times: "np.ndarray") -> float:
        """Return one less the share that is not explained; NaN for labels that are all equal."""
        squares, labels = parts
        mean = labels @ times / times.sum()
        spread = float((labels - mean) ** 2 @ times)
        return 1 - float(squares @ times) / spread if spread else float("nan")

    def each(self, answers: Answers) -> "np.ndarray":
        """Return the squared error of each sample."""
        squares: np.ndarray = (answers.found - answers.labels) ** 2
        return squares

    def blind(self, answers: Answers) -> float:
        """Return what the mean of the labels explains."""
        return 0.0


METRIC = R2()
