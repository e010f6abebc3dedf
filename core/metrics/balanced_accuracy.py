"""The mean of the shares of each class that are answered right, so that a rare class counts as much as a common one."""

from typing import TYPE_CHECKING

from core.domain.metric import Answers, Metric, Needs

if TYPE_CHECKING:
    import numpy as np


class BalancedAccuracy(Metric):
    """The mean recall of all classes that have a sample (scikit-learn)."""

    title = "Balanced accuracy"
    sentence = "The mean over all classes of the share answered right."
    needs = Needs.CLASSES
    by_class = True

    def value(self, answers: Answers) -> float:
        """Return a share from 0 to 1."""
        from sklearn.metrics import recall_score

        return float(
            recall_score(answers.labels, answers.found, labels=sorted(set(answers.labels.tolist())), average="macro")
        )

    def parts(self, answers: Answers) -> "tuple[np.ndarray, np.ndarray]":
        """Return the class of each label and whether it is answered right."""
        import numpy as np

        return np.unique(answers.labels, return_inverse=True)[1], self.each(answers)

    def weighed(self, parts: "tuple[np.ndarray, np.ndarray]", times: "np.ndarray") -> float:
        """Return the mean recall; NaN where a class does not count at all."""
        import numpy as np

        place, right = parts
        of = np.bincount(place, times)
        return float((np.bincount(place, times * right) / of).mean()) if of.all() else float("nan")

    def each(self, answers: Answers) -> "np.ndarray":
        """Return 1.0 for a right answer."""
        right: np.ndarray = (answers.found == answers.labels).astype(float)
        return right

    def blind(self, answers: Answers) -> float:
        """Return what naming one class for all gives."""
        return 1 / max(2, len(set(answers.labels.tolist())))


METRIC = BalancedAccuracy()
