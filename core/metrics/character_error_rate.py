"""How many characters of a text must be changed until it is right."""

from core.domain.metric import Answers, Metric, Needs


class CharacterErrorRate(Metric):
    """Edits of single characters over the characters of the labels (Levenshtein distance by rapidfuzz)."""

    title = "Character error rate"
    sentence = "Characters to insert, leave out or replace, for each character of the labels."
    needs = Needs.TEXTS
    higher = False

    def value(self, answers: Answers) -> float | None:
        """Return a share, which may be above 1; None where all labels are empty."""
        from rapidfuzz.distance import Levenshtein

        pairs = list(zip(answers.labels.tolist(), answers.found.tolist(), strict=True))
        length = sum(len(label) for label, _ in pairs)
        return sum(Levenshtein.distance(*pair) for pair in pairs) / length if length else None


METRIC = CharacterErrorRate()
