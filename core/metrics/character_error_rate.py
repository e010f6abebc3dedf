"""How many characters of a text must be changed until it is right."""

from typing import TYPE_CHECKING

from core.domain.metric import Answers, Metric, Needs

if TYPE_CHECKING:
    import numpy as np


class CharacterErrorRate(Metric):
    """Edits of single characters over the characters of the labels (Levenshtein distance by rapidfuzz)."""

    title = "Character error rate"
    sentence = "Characters to insert, leave out or replace, for each character of the labels."
    needs = Needs.TEXTS
    higher = False

    def pieces(self, text: str) -> "str | list[str]":
        """Return what is counted of a text."""
        return text

    def value(self, answers: Answers) -> float | None:
        """Return a share, which may be above 1; None where all labels are empty."""
        import numpy as np

        edits, lengths = self.parts(answers)
        return self.weighed((edits, lengths), np.ones(len(edits))) if lengths.any() else None

    def parts(self, answers: Answers) -> "tuple[np.ndarray, np.ndarray]":
        """Return the edits of each text, and the pieces of its label."""
        import numpy as np

        return self.each(answers), np.array([len(self.pieces(one)) for one in answers.labels.tolist()], float)

    def weighed(self, parts: "tuple[np.ndarray, np.ndarray]", times: "np.ndarray") -> float:
        """Return edits over pieces; NaN where there are none."""
        edits, lengths = parts
        of = float(lengths @ times)
        return float(edits @ times) / of if of else float("nan")

    def each(self, answers: Answers) -> "np.ndarray":
        """Return the edits of each text."""
        import numpy as np
        from rapidfuzz.distance import Levenshtein

        pairs = zip(answers.labels.tolist(), answers.found.tolist(), strict=True)
        return np.array([Levenshtein.distance(self.pieces(a), self.pieces(b)) for a, b in pairs], float)

    def blind(self, answers: Answers) -> float:
        """Return the rate of reading nothing."""
        return 1.0


METRIC = CharacterErrorRate()
