"""By how much predicted numbers are off on average, in the unit of the labels."""

from typing import TYPE_CHECKING

from core.domain.metric import Answers, Metric, Needs

if TYPE_CHECKING:
    import numpy as np


class MeanAbsoluteError(Metric):
    """The mean of the absolute differences (scikit-learn)."""

    title = "Mean absolute error"
    sentence = "By how much the predicted number is off on average, in the unit of the labels."
    needs = Needs.NUMBERS
    higher = False
    grows = True

    def value(self, answers: Answers) -> float:
        """Return the error in the unit of the labels."""
        from sklearn.metrics import mean_absolute_error

        return float(mean_absolute_error(answers.labels, answers.found))

    def parts(self, answers: Answers) -> "np.ndarray":
        """Return the error of each sample."""
        return self.each(answers)

    def weighed(self, parts: "np.ndarray", times: "np.ndarray") -> float:
        """Return their mean."""
        return float(parts @ times / times.sum())

    def each(self, answers: Answers) -> "np.ndarray":
        """Return the absolute error of each sample."""
        off: np.ndarray = abs(answers.found - answers.labels)
        return off

    def blind(self, answers: Answers) -> float:
        """Return the error of the median of the labels."""
        import numpy as np

        return float(np.abs(answers.labels - np.median(answers.labels)).mean())


METRIC = MeanAbsoluteError()
