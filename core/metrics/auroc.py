"""The area under the ROC curve: how often a sample of a class has a larger score for it than a sample of another."""

from typing import TYPE_CHECKING

from core.domain.metric import Answers, Metric, Needs

if TYPE_CHECKING:
    import numpy as np


class Auroc(Metric):
    """Of two classes, or the mean of each class against the rest (scikit-learn; Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747)."""

    title = "Area under the ROC curve"
    sentence = "How often a sample of a class has a larger score for it than a sample of another class."
    needs = Needs.SCORES
    by_class = True
    step = 0.5

    def value(self, answers: Answers) -> float | None:
        """Return a share from 0 to 1; None without a score for each class, or where a class has no sample."""
        from sklearn.metrics import roc_auc_score

        scores = answers.scores
        if scores is None or set(answers.labels.tolist()) != set(range(scores.shape[1])):
            return None
        if scores.shape[1] == 2:
            return float(roc_auc_score(answers.labels, scores[:, 1]))
        return float(roc_auc_score(answers.labels, scores, multi_class="ovr"))

    def parts(self, answers: Answers) -> "list[tuple[np.ndarray, np.ndarray, np.ndarray]]":
        """Return for each class that is set against the rest: the samples by rising score, where equal scores begin, and which are of the class."""
        scores = answers.scores
        classes = [1] if scores.shape[1] == 2 else range(scores.shape[1])
        return [_ranked(scores[:, one], answers.labels == one) for one in classes]

    def weighed(self, parts: "list[tuple[np.ndarray, np.ndarray, np.ndarray]]", times: "np.ndarray") -> float:
        """Return the mean area, with half of what is equal; NaN where a class does not count at all."""
        import numpy as np

        areas = []
        for order, starts, own in parts:
            counts = times[order]
            inside = np.add.reduceat(counts * own, starts)
            outside = np.add.reduceat(counts * ~own, starts)
            pairs = inside.sum() * outside.sum()
            below = np.cumsum(outside) - outside / 2
            areas.append(float(inside @ below / pairs) if pairs else float("nan"))
        return float(np.mean(areas))

    def each(self, answers: Answers) -> "np.ndarray":
        """Return the share of the other samples that stand on the right side of each."""
        import numpy as np

        own = answers.scores[np.arange(len(answers.labels)), answers.labels]
        placed = np.empty(len(own))
        for one in np.unique(answers.labels):
            rest = np.sort(answers.scores[answers.labels != one, one])
            mine = answers.labels == one
            placed[mine] = np.searchsorted(rest, own[mine]) / max(1, len(rest))
        return placed

    def blind(self, answers: Answers) -> float:
        """Return what equal scores give."""
        return 0.5


def _ranked(scores: "np.ndarray", own: "np.ndarray") -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
    import numpy as np

    order = np.argsort(scores)
    rising = scores[order]
    starts = np.flatnonzero(np.concatenate([[True], rising[1:] != rising[:-1]]))
    return order, starts, own[order]


METRIC = Auroc()
