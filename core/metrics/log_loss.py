"""How surprised the model is by the labels: it grows where the model is sure and wrong."""

from core.domain.metric import Answers, Metric, Needs


class LogLoss(Metric):
    """The mean negative logarithm of the probability of the label (scikit-learn)."""

    title = "Log loss"
    sentence = "The mean negative logarithm of the probability that the model gives the label."
    needs = Needs.SCORES
    higher = False

    def value(self, answers: Answers) -> float | None:
        """Return nats for a sample; None without a score for each class."""
        from sklearn.metrics import log_loss

        scores = answers.scores
        return None if scores is None else float(log_loss(answers.labels, scores, labels=range(scores.shape[1])))


METRIC = LogLoss()
