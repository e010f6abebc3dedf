"""C source of a statistical model, as Portolan writes it: recognised by its first line, read and never compiled here."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from core.domain.errors import Refused
from core.domain.format import Format, Risk, Summary
from core.formats.anatomy import scoring_facts
from core.formats.anatomy.findings import JsonObject, info
from core.scoring.source import SIGNATURE, unsigned

START = b"/* "
FACTS = re.compile(r"^ \* (\{.*\})$", re.MULTILINE)
COMMENTS_AND_TEXTS = re.compile(r'/\*.*?\*/|"(\\.|[^"\\])*"', re.DOTALL)
DIRECTIVES = ("#include <math.h>", "#include <stddef.h>", "#include <string.h>")


class CSource(Format):
    """One file of C99; it becomes a program on its owner's machine alone."""

    title = "C source"
    sentence = (
        "One dependency-free C99 file with a function predict(): it allocates no memory and needs nothing installed."
    )
    suffixes = (".c",)
    code_bearing = True

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the first line is Portolan's."""
        return head.startswith(START + SIGNATURE.encode())

    def check(self, path: Path) -> Iterator[Risk]:
        """Check the text against its own checksum, and that it includes three standard headers and no more."""
        text = unsigned(path, START)
        facts(text)
        odd = [
            line.strip()
            for line in text.splitlines()
            if line.lstrip().startswith(("#", "%:", "??=")) and line not in DIRECTIVES
        ]
        code = COMMENTS_AND_TEXTS.sub("", text)
        if odd or re.search(r"\b(asm|__\w+)\b", code):
            raise Refused(
                "The C does more than score a model: " + (odd[0][:60] if odd else "assembly") + ".",
                "Convert the model again.",
            )
        yield info("The text is not compiled here: verify.py proves its answers on your own machine.")

    def inspect(self, path: Path) -> Summary:
        """Tell inputs and answers from the comment at the top."""
        text = unsigned(path, START)
        return scoring_facts.summary(self.id, facts(text), text.count("\n"), "C99")


def facts(text: str) -> JsonObject:
    """Return the description of inputs and answers. Raises Refused when there is none."""
    found = FACTS.search(text)
    try:
        return scoring_facts.checked(json.loads(found[1]) if found else None)
    except (ValueError, RecursionError):
        return scoring_facts.checked(None)


FORMAT = CSource()
