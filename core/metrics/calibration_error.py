"""Whether a model that says 80 % is right in 80 %."""

from core.domain.metric import Answers, Metric, Needs

BINS = 15


class CalibrationError(Metric):
    """Expected calibration error of the predicted class in 15 bins of equal width (Guo et al. 2017, arXiv:1706.04599, section 2)."""

    title = "Calibration error"
    sentence = "How far the stated probability of the answer is from how often it is right, on average."
    needs = Needs.SCORES
    higher = False

    def value(self, answers: Answers) -> float | None:
        """Return a share from 0 to 1; None without a score for each class."""
        import numpy as np

        if answers.scores is None:
            return None
        sure, right = answers.scores.max(axis=1), answers.scores.argmax(axis=1) == answers.labels
        place = np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1)
        gaps = np.bincount(place, right - sure, BINS)
        return float(np.abs(gaps).sum() / len(sure))


METRIC = CalibrationError()
