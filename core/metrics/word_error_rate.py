"""How many words of a text must be changed until it is right."""

from core.metrics.character_error_rate import CharacterErrorRate


class WordErrorRate(CharacterErrorRate):
    """Edits of whole words over the words of the labels, counted as those of characters are."""

    title = "Word error rate"
    sentence = "Words to insert, leave out or replace, for each word of the labels."

    def pieces(self, text: str) -> list[str]:
        """Return the words."""
        return text.split()


METRIC = WordErrorRate()
