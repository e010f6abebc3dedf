"""A move to a target: what is asked, what was exported, how the package was tested, and what is taken away."""

from dataclasses import dataclass, field
from typing import ClassVar

from core.domain.conversion import ConvertRequest
from core.domain.recipe import Option
from core.domain.references import Sha256
from core.domain.report import Count, Parity, Verdict
from core.domain.task import Task
from core.domain.work import Bundle, Code, Data, NamedModel, Subject

NOWHERE = "nowhere"
"""Where a gate stands that nothing was run for."""


@dataclass(frozen=True)
class Budgets:
    """What a package must keep to, each None where it is not asked: the share of quality that it may lose on the test data, milliseconds within which 95 % of requests are answered, and the server's memory at its peak in MB (10^6 bytes)."""

    max_drop: float | None = None
    latency_ms: float | None = None
    memory_mb: float | None = None

    def __post_init__(self) -> None:
        if self.max_drop is not None and not 0 < self.max_drop < 1:
            raise ValueError("a drop is a share between 0 and 1, such as 0.01")
        if any(one is not None and not 0 < one < 1e9 for one in (self.latency_ms, self.memory_mb)):
            raise ValueError("a budget is a number above 0")

    @property
    def served(self) -> bool:
        """Whether one of them is asked of the server."""
        return self.latency_ms is not None or self.memory_mb is not None


@dataclass(frozen=True)
class MigrateRequest:
    """The model, the target by its id, options for the export, the owner's data and Python file, and what the owner says that the model is for."""

    INLINE: ClassVar = ("subject",)

    subject: Subject
    target: str
    options: dict[str, Option] = field(default_factory=dict)
    data: Data | None = None
    code: Code | None = None
    task: Task | None = None
    budgets: Budgets = Budgets()


@dataclass(frozen=True)
class Gate:
    """One test of a package: its name, where it ran, the verdict with its reason, over how many samples, the largest difference, and how many of all kept to it where that is counted."""

    name: str
    where: str
    verdict: Verdict
    reason: str
    samples: int = 0
    max_abs: float | None = None
    count: Count | None = None


@dataclass(frozen=True)
class PackagedFile:
    """One file of a package: its name, bytes and SHA-256."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True)
class Migration:
    """All that a move found. ``bundle`` is None where a gate failed; ``packaged`` says whether it holds code or the export alone."""

    DERIVED: ClassVar = ("verdict",)

    source: NamedModel
    target: str
    title: str
    artifact: NamedModel
    parity: Parity
    gates: tuple[Gate, ...]
    bundle: Bundle | None
    packaged: bool
    files: tuple[PackagedFile, ...]
    not_run: tuple[str, ...]
    seconds: float
    peak_rss_mb: float
    golden: Sha256
    recorded: Sha256
    export: ConvertRequest
    """How the export can be asked for again."""

    signoff: Bundle | None = None
    """The page of the sign-off alone, which is in the package too."""

    @property
    def verdict(self) -> Verdict:
        """The worst of all gates."""
        return Verdict.worst([gate.verdict for gate in self.gates])
