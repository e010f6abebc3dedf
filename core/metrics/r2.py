"""Which share of the variation of the labels the model explains."""

from core.domain.metric import Answers, Metric, Needs


class R2(Metric):
    """The coefficient of determination (scikit-learn)."""

    title = "R2"
    sentence = "The share of the variation of the labels that the model explains; 0 is what their mean does."
    needs = Needs.NUMBERS

    def value(self, answers: Answers) -> float | None:
        """Return at most 1; None for labels that are all equal."""
        from sklearn.metrics import r2_score

        return None if len(set(answers.labels.tolist())) < 2 else float(r2_score(answers.labels, answers.found))


METRIC = R2()
