"""The area under the ROC curve: how often a sample of a class has a larger score for it than a sample of another."""

from core.domain.metric import Answers, Metric, Needs


class Auroc(Metric):
    """Of two classes, or the mean of each class against the rest (scikit-learn; Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747)."""

    title = "Area under the ROC curve"
    sentence = "How often a sample of a class has a larger score for it than a sample of another class."
    needs = Needs.SCORES

    def value(self, answers: Answers) -> float | None:
        """Return a share from 0 to 1; None without a score for each class, or where a class has no sample."""
        from sklearn.metrics import roc_auc_score

        scores = answers.scores
        if scores is None or set(answers.labels.tolist()) != set(range(scores.shape[1])):
            return None
        if scores.shape[1] == 2:
            return float(roc_auc_score(answers.labels, scores[:, 1]))
        return float(roc_auc_score(answers.labels, scores, multi_class="ovr"))


METRIC = Auroc()
