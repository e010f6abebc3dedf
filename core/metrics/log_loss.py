"""How surprised the model is by the labels: it grows where the model is sure and wrong."""

from typing import TYPE_CHECKING

from core.domain.metric import Answers, Metric, Needs

if TYPE_CHECKING:
    import numpy as np


class LogLoss(Metric):
    """The mean negative logarithm of the probability of the label (scikit-learn)."""

    title = "Log loss"
    sentence = "The mean negative logarithm of the probability that the model gives the label."
    needs = Needs.SCORES
    higher = False
    grows = True

    def value(self, answers: Answers) -> float | None:
        """Return nats for a sample; None without a score for each class."""
        from sklearn.metrics import log_loss

        scores = answers.scores
        return None if scores is None else float(log_loss(answers.labels, scores, labels=range(scores.shape[1])))

    def parts(self, answers: Answers) -> "np.ndarray":
        """Return the nats of each sample."""
        return self.each(answers)

    def weighed(self, parts: "np.ndarray", times: "np.ndarray") -> float:
        """Return their mean."""
        return float(parts @ times / times.sum())

    def each(self, answers: Answers) -> "np.ndarray":
        """Return the nats of each sample, with no probability below the least step of float64, as scikit-learn has it."""
        import numpy as np

        own = answers.scores[np.arange(len(answers.labels)), answers.labels]
        nats: np.ndarray = -np.log(own.clip(np.finfo(np.float64).eps, 1.0))
        return nats

    def blind(self, answers: Answers) -> float:
        """Return what the frequencies of the labels as probabilities give: their entropy."""
        import numpy as np

        shares = np.unique(answers.labels, return_counts=True)[1] / len(answers.labels)
        return float(-(shares * np.log(shares)).sum())


METRIC = LogLoss()
