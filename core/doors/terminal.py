"""What the commands print reaches a terminal as letters: a name in a model can set no title, no clipboard and no colour there."""

import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import TextIOBase
from typing import TextIO

from core.domain.errors import TERMINAL

KEPT = "\n\t"
MEANINGLESS = ("Cc", "Cf", "Cs", "Co")
"""Categories of Unicode that no one reads: controls, directions, halves of pairs, private letters."""
ASCII = re.compile(r"[\n\t -~]*")


def letters(text: str) -> str:
    """Return a text without codes for a terminal and without letters that are not seen."""
    if ASCII.fullmatch(text):
        return text
    return "".join(c for c in TERMINAL.sub("", text) if c in KEPT or unicodedata.category(c) not in MEANINGLESS)


class Letters(TextIOBase):
    """A stream that passes on letters alone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write the letters of a text."""
        self._stream.write(letters(text))
        return len(text)

    def flush(self) -> None:
        """Write what waits."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Say whether a person reads."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the file that this ends in."""
        return self._stream.fileno()


@contextmanager
def only_letters() -> Iterator[None]:
    """Let nothing but letters out of this process as long as the block lasts."""
    with redirect_stdout(Letters(sys.stdout)), redirect_stderr(Letters(sys.stderr)):
        yield
