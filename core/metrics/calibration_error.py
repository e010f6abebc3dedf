"""Whether a model that says 80 % is right in 80 %."""

import math
from typing import TYPE_CHECKING

from core.domain.metric import Answers, Metric, Needs

if TYPE_CHECKING:
    import numpy as np

BINS = 15


class CalibrationError(Metric):
    """Expected calibration error of the predicted class in 15 bins of equal width (Guo et al. 2017, arXiv:1706.04599, section 2)."""

    title = "Calibration error"
    sentence = "How far the stated probability of the answer is from how often it is right, on average."
    needs = Needs.SCORES
    higher = False
    step = 0.5

    def value(self, answers: Answers) -> float | None:
        """Return a share from 0 to 1; None without a score for each class."""
        import numpy as np

        return None if answers.scores is None else self.weighed(self.parts(answers), np.ones(len(answers.labels)))

    def parts(self, answers: Answers) -> "tuple[np.ndarray, np.ndarray]":
        """Return the bin of each sample, and by how much it is more right than sure."""
        import numpy as np

        sure = answers.scores.max(axis=1)
        return np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1), self.each(answers)

    def weighed(self, parts: "tuple[np.ndarray, np.ndarray]", times: "np.ndarray") -> float:
        """Return the mean over all samples of the gap of their bin."""
        import numpy as np

        return float(np.abs(np.bincount(parts[0], parts[1] * times, BINS)).sum() / times.sum())

    def each(self, answers: Answers) -> "np.ndarray":
        """Return by how much each sample is more right than sure, from -1 to 1."""
        gaps: np.ndarray = (answers.scores.argmax(axis=1) == answers.labels) - answers.scores.max(axis=1)
        return gaps

    def bias(self, answers: Answers) -> float:
        """Return the figure that chance alone gives a model without error: the mean of the absolute value of a normal gap in each bin."""
        import numpy as np

        place, _ = self.parts(answers)
        sure = answers.scores.max(axis=1)
        spread = np.sqrt(np.bincount(place, sure * (1 - sure), BINS))
        return float(spread.sum() * math.sqrt(2 / math.pi) / len(sure))

    def blind(self, answers: Answers) -> None:
        """Return no bar: the frequencies of the labels are calibrated as well as can be."""


METRIC = CalibrationError()
