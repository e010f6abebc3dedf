"""A file that comes in: what is asked, and what the child read in it."""

from dataclasses import dataclass

from core.domain.format import Summary
from core.domain.references import Sha256


@dataclass(frozen=True)
class IngestRequest:
    """A stored blob with the name that its owner gave it, and the sample that it came with."""

    sha256: Sha256
    size: int
    name: str
    sample: str | None = None


@dataclass(frozen=True)
class Ingested:
    """The format, its title, the summary, and the SHA-256 of the graph without weights, None where there is no graph."""

    format: str
    title: str
    summary: Summary
    graph: Sha256 | None
