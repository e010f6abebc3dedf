"""The mean of the shares of each class that are answered right, so that a rare class counts as much as a common one."""

from core.domain.metric import Answers, Metric, Needs


class BalancedAccuracy(Metric):
    """The mean recall of all classes that have a sample (scikit-learn)."""

    title = "Balanced accuracy"
    sentence = "The mean over all classes of the share answered right."
    needs = Needs.CLASSES

    def value(self, answers: Answers) -> float:
        """Return a share from 0 to 1."""
        from sklearn.metrics import recall_score

        return float(
            recall_score(answers.labels, answers.found, labels=sorted(set(answers.labels.tolist())), average="macro")
        )


METRIC = BalancedAccuracy()
