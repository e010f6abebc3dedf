"""Python source of a statistical model, as Portolan writes it: recognised by its first line, and kept to a small part of the language."""

from collections.abc import Iterator
from pathlib import Path

from core.domain.format import Format, Risk, Summary, Surroundings
from core.formats.anatomy import python_subset, scoring_facts
from core.formats.anatomy.findings import JsonObject, info
from core.scoring.source import SIGNATURE, unsigned

START = b'"""'


class PythonSource(Format):
    """One module without imports but ``math``; running it is running code, so it is jailed always."""

    title = "Python source"
    sentence = "One dependency-free Python file with a function predict(row): values in, answers out."
    suffixes = (".py",)
    runs_in = Surroundings.CODE
    code_bearing = True

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the first line is Portolan's."""
        return head.startswith(START + SIGNATURE.encode())

    def check(self, path: Path) -> Iterator[Risk]:
        """Check the text against its own checksum, and its syntax tree against the list of what scoring needs."""
        facts(read(path))
        yield info("The code does arithmetic on its own tables, and imports nothing but math.")

    def inspect(self, path: Path) -> Summary:
        """Tell inputs and answers from the text, with nothing run."""
        text = read(path)
        return scoring_facts.summary(self.id, facts(text), text.count("\n"), "Python 3")


def read(path: Path) -> str:
    """Return the module's text. Raises Refused when it is not as it was written."""
    unsigned(path, START)
    return path.read_bytes().decode("ascii")


def facts(text: str) -> JsonObject:
    """Return the description of inputs and answers. Raises Refused when there is none."""
    return scoring_facts.checked(python_subset.literal(python_subset.parse(text), "SIGNATURE"))


FORMAT = PythonSource()
