"""By how much predicted numbers are off on average, in the unit of the labels."""

from core.domain.metric import Answers, Metric, Needs


class MeanAbsoluteError(Metric):
    """The mean of the absolute differences (scikit-learn)."""

    title = "Mean absolute error"
    sentence = "By how much the predicted number is off on average, in the unit of the labels."
    needs = Needs.NUMBERS
    higher = False

    def value(self, answers: Answers) -> float:
        """Return the error in the unit of the labels."""
        from sklearn.metrics import mean_absolute_error

        return float(mean_absolute_error(answers.labels, answers.found))


METRIC = MeanAbsoluteError()
