"""How often the right class is among the five with the largest scores."""

from core.domain.metric import Answers, Metric, Needs

K = 5


class Top5(Metric):
    """Top-5 accuracy (scikit-learn), where there are more than five classes."""

    title = "Top-5 accuracy"
    sentence = "The share of samples whose class is among the five with the largest scores."
    needs = Needs.SCORES

    def value(self, answers: Answers) -> float | None:
        """Return a share from 0 to 1; None for five classes or fewer."""
        from sklearn.metrics import top_k_accuracy_score

        classes = answers.scores.shape[1] if answers.scores is not None else 0
        if classes <= K:
            return None
        return float(top_k_accuracy_score(answers.labels, answers.scores, k=K, labels=range(classes)))


METRIC = Top5()
