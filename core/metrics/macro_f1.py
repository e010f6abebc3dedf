"""The mean over all classes of F1, in which an answer given too often costs as much as one given too seldom."""

from dataclasses import replace
from typing import TYPE_CHECKING

from core.domain.metric import Answers, Metric, Needs

if TYPE_CHECKING:
    import numpy as np


class MacroF1(Metric):
    """The harmonic mean of precision and recall of each class, and their mean (scikit-learn)."""

    title = "F1, mean of all classes"
    sentence = "The mean over all classes of the harmonic mean of precision and recall."
    needs = Needs.CLASSES
    by_class = True

    def value(self, answers: Answers) -> float:
        """Return a share from 0 to 1; a class that is neither labelled nor answered does not count."""
        from sklearn.metrics import f1_score

        return float(f1_score(answers.labels, answers.found, average="macro", zero_division=0.0))

    def parts(self, answers: Answers) -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
        """Return the class of each label and of each answer, and how many classes there are [n]."""
        import numpy as np

        place = np.unique(np.concatenate([answers.labels, answers.found]), return_inverse=True)[1]
        n = len(answers.labels)
        return place[:n], place[n:], np.arange(place.max() + 1)

    def weighed(self, parts: "tuple[np.ndarray, np.ndarray, np.ndarray]", times: "np.ndarray") -> float:
        """Return the mean F1; NaN where a class that is labelled does not count at all."""
        import numpy as np

        labels, found, classes = parts
        of, said = (np.bincount(one, times, len(classes)) for one in (labels, found))
        if not of[np.unique(labels)].all():
            return float("nan")
        right = np.bincount(labels, times * (labels == found), len(classes))
        there = of + said > 0
        return float((2 * right[there] / (of + said)[there]).mean())

    def each(self, answers: Answers) -> "np.ndarray":
        """Return the place of the answer among those that are given or labelled."""
        import numpy as np

        known = np.unique(answers.labels)
        place = np.searchsorted(known, answers.found).clip(0, len(known) - 1)
        return np.where(known[place] == answers.found, place, len(known)).astype(float)

    def blind(self, answers: Answers) -> float:
        """Return what naming the most frequent class for all gives."""
        import numpy as np

        names, counts = np.unique(answers.labels, return_counts=True)
        return self.value(replace(answers, found=np.full(len(answers.labels), names[counts.argmax()])))


METRIC = MacroF1()
