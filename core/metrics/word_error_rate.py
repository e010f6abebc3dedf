"""How many words of a text must be changed until it is right."""

from core.domain.metric import Answers, Metric, Needs


class WordErrorRate(Metric):
    """Edits of whole words over the words of the labels (Levenshtein distance by rapidfuzz)."""

    title = "Word error rate"
    sentence = "Words to insert, leave out or replace, for each word of the labels."
    needs = Needs.TEXTS
    higher = False

    def value(self, answers: Answers) -> float | None:
        """Return a share, which may be above 1; None where all labels are empty."""
        from rapidfuzz.distance import Levenshtein

        pairs = [(a.split(), b.split()) for a, b in zip(answers.labels.tolist(), answers.found.tolist(), strict=True)]
        length = sum(len(label) for label, _ in pairs)
        return sum(Levenshtein.distance(*pair) for pair in pairs) / length if length else None


METRIC = WordErrorRate()
