"""The mean over all classes of F1, in which an answer given too often costs as much as one given too seldom."""

from core.domain.metric import Answers, Metric, Needs


class MacroF1(Metric):
    """The harmonic mean of precision and recall of each class, and their mean (scikit-learn)."""

    title = "F1, mean of all classes"
    sentence = "The mean over all classes of the harmonic mean of precision and recall."
    needs = Needs.CLASSES

    def value(self, answers: Answers) -> float:
        """Return a share from 0 to 1; a class that is neither labelled nor answered does not count."""
        from sklearn.metrics import f1_score

        return float(f1_score(answers.labels, answers.found, average="macro", zero_division=0.0))


METRIC = MacroF1()
