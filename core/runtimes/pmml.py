"""Portolan's own scorer of PMML: the file is read into the common form, and the form is evaluated in NumPy."""

from pathlib import Path

from core.classic import scoring_session
from core.domain.runtime import Runtime, Session
from core.scoring import pmml_read

READING = (
    "PMML is read here by Portolan's own scorer, which its converters share: what it misunderstands shows on neither "
    "side. Score some rows with another PMML engine to make sure."
)


class PmmlRuntime(Runtime):
    """Scores in float64, with float32 where the file says so, and treats missing values as PMML does."""

    title = "Portolan's PMML scorer"
    sentence = (
        "Runs PMML 4.x without Java: regression, trees, clustering, naive Bayes, neural networks and transformations."
    )
    formats = ("pmml",)
    packages = ("numpy", "lxml")
    kind = "light"

    def open(self, path: Path, format: str) -> Session:
        """Read the file. Raises Refused for what is not supported."""
        session = scoring_session.of_form(pmml_read.read(path))
        session.reading = READING
        return session


RUNTIME = PmmlRuntime()
