"""How many words of a text must be changed until it is right."""

from typing import TYPE_CHECKING

from core.domain.metric import Answers, Metric, Needs

if TYPE_CHECKING:
    import numpy as np


class WordErrorRate(Metric):
    """Edits of whole words over the words of the labels (Levenshtein distance by rapidfuzz)."""

    title = "Word error rate"
    sentence = "Words to insert, leave out or replace, for each word of the labels."
    needs = Needs.TEXTS
    higher = False

    def value(self, answers: Answers) -> float | None:
        """Return a share, which may be above 1; None where all labels are empty."""
        import numpy as np

        edits, lengths = self.parts(answers)
        return self.weighed((edits, lengths), np.ones(len(edits))) if lengths.any() else None

    def parts(self, answers: Answers) -> "tuple[np.ndarray, np.ndarray]":
        """Return the edits of each text, and the words of its label."""
        import numpy as np

        return self.each(answers), np.array([len(one.split()) for one in answers.labels.tolist()], float)

    def weighed(self, parts: "tuple[np.ndarray, np.ndarray]", times: "np.ndarray") -> float:
        """Return edits over words; NaN where there are no words."""
        edits, lengths = parts
        of = float(lengths @ times)
        return float(edits @ times) / of if of else float("nan")

    def each(self, answers: Answers) -> "np.ndarray":
        """Return the edits of each text."""
        import numpy as np
        from rapidfuzz.distance import Levenshtein

        pairs = zip(answers.labels.tolist(), answers.found.tolist(), strict=True)
        return np.array([Levenshtein.distance(a.split(), b.split()) for a, b in pairs], float)

    def blind(self, answers: Answers) -> float:
        """Return the rate of reading nothing."""
        return 1.0


METRIC = WordErrorRate()
