"""How often the right class is among the five with the largest scores."""

from typing import TYPE_CHECKING

from core.domain.metric import Answers, Metric, Needs

if TYPE_CHECKING:
    import numpy as np

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

    def parts(self, answers: Answers) -> "np.ndarray":
        """Return which samples have their class among the five."""
        return self.each(answers)

    def weighed(self, parts: "np.ndarray", times: "np.ndarray") -> float:
        """Return the share of them."""
        return float(parts @ times / times.sum())

    def each(self, answers: Answers) -> "np.ndarray":
        """Return [n] bool: right or wrong, as scikit-learn breaks ties, so that losses are counted and not drawn."""
        import numpy as np

        best = np.argsort(answers.scores, axis=1, kind="mergesort")[:, ::-1][:, :K]
        right: np.ndarray = (best == answers.labels[:, None]).any(axis=1)
        return right

    def blind(self, answers: Answers) -> float:
        """Return what naming the five most frequent classes for all gives."""
        import numpy as np

        counts = np.bincount(answers.labels)
        return float(np.sort(counts)[-K:].sum() / counts.sum())


METRIC = Top5()
