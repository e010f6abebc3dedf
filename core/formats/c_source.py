"""C source of a statistical model, as Portolan writes it: recognised by its first line, read and never compiled here."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from core.domain.errors import Refused
from core.domain.format import Format, Risk, Summary, Surroundings
from core.formats.anatomy import scoring_facts
from core.formats.anatomy.findings import JsonObject, info
from core.scoring.source import SIGNATURE, unsigned, vocabulary

START = b"/* "
FACTS = re.compile(r"^ \* (\{.*\})$", re.MULTILINE)
COMMENTS_AND_TEXTS = re.compile(r'/\*.*?\*/|"(?:\\[0-7]{3}|[^"\\\n])*"', re.DOTALL)
TRICKS = re.compile(r"""["'\\`@$]|//|\?\?|%:|<:""")
"""What moves the ends of comments and texts, or spells a directive in another way."""
TABLE = r"[a-z]+_\d+"
WORD = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
BESIDE = """predict predict_labels extern static const void int double float char return number text answer v x t if else for while
NULL NAN INFINITY sqrt fabs exp log log1p expm1 floor tanh pow fmin fmax"""
DIRECTIVES = ("#include <math.h>", "#include <stddef.h>", "#include <string.h>")


class CSource(Format):
    """One file of C99; it becomes a program on its owner's machine alone."""

    title = "C source"
    sentence = (
        "One dependency-free C99 file with a function predict(): it allocates no memory and needs nothing installed."
    )
    suffixes = (".c",)
    runs_in = Surroundings.CODE
    code_bearing = True

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the first line is Portolan's."""
        return head.startswith(START + SIGNATURE.encode())

    def check(self, path: Path) -> Iterator[Risk]:
        """Check the text against its own checksum, and that it includes three standard headers and has no word that Portolan does not write."""
        text = unsigned(path, START)
        facts(text)
        lines = [line for line in text.splitlines() if line not in DIRECTIVES]
        code = COMMENTS_AND_TEXTS.sub(" ", "/*" + "\n".join(lines))  # the first line begins a comment
        odd = [line.strip() for line in lines if line.lstrip().startswith("#")]
        odd += TRICKS.findall(code) or re.findall(r"\?\?|\\\s*$", text, re.MULTILINE)
        odd += [word for word in WORD.findall(code) if word not in words() and not re.fullmatch(TABLE, word)]
        if odd:
            raise Refused(f"The C does more than score a model: {odd[0][:60]}.", "Convert the model again.")
        yield info("The text is not compiled here: verify.py proves its answers on your own machine.")

    def inspect(self, path: Path) -> Summary:
        """Tell inputs and answers from the comment at the top."""
        text = unsigned(path, START)
        return scoring_facts.summary(self.id, facts(text), text.count("\n"), "C99")


@cache
def words() -> frozenset[str]:
    """Return the words that generated C is made of, but for the names of its tables."""
    return frozenset(WORD.findall(f"{vocabulary('c_functions.txt')} {BESIDE}"))


def facts(text: str) -> JsonObject:
    """Return the description of inputs and answers. Raises Refused when there is none."""
    found = FACTS.search(text)
    try:
        return scoring_facts.checked(json.loads(found[1]) if found else None)
    except (ValueError, RecursionError):
        return scoring_facts.checked(None)


FORMAT = CSource()
