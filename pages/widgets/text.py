"""Words from strangers' files, made safe to stand in Markdown."""

import re
import unicodedata
from collections.abc import Sequence

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|$~:@&])")
_SENTENCE = re.compile(r"(\.) (?=[A-Z])")
_LINK = re.compile(r"://|www\.|@", re.IGNORECASE)
WORD_JOINER = "\u2060"
"""An invisible letter of no width: addresses are made links behind the back of Markdown's escapes, by what stands in the text."""


def plain(text: str, longest: int = 120) -> str:
    """Escape Markdown, keep addresses from becoming links, drop control and direction characters, and shorten the middle of long names."""
    visible = "".join(c for c in str(text) if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co"))
    if len(visible) > longest:
        visible = visible[: longest * 2 // 3] + "…" + visible[-longest // 3 :]
    return _SPECIAL.sub(r"\\\1", _LINK.sub(lambda found: found[0][0] + WORD_JOINER + found[0][1:], visible))


def answer_and_rest(words: str) -> tuple[str, str]:
    """Part a verdict's reason into its first sentence, which is the answer, and what was asked to find it."""
    answer, stop, rest = _SENTENCE.split(words, maxsplit=1) if _SENTENCE.search(words) else (words, "", "")
    return answer + stop, rest


def shape(dims: Sequence[int | str | None] | None) -> str:
    """Write a shape as people do; a symbol keeps its name and the unknown is a question mark."""
    return "unknown" if dims is None else " × ".join("?" if d is None else str(d) for d in dims) or "scalar"


def small(difference: float) -> str:
    """Write a small difference; exact equality is a bare zero."""
    return "0" if difference == 0 else f"{difference:.1e}"


def count(number: int | None) -> str:
    """Write a large count with its unit."""
    if number is None:
        return "not known"
    for unit, scale in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= scale:
            return f"{number / scale:.3g} {unit}"
    return str(number)
