"""What tasks are asked about: a model, its data, its recorded answers, and recipes that are tried, all by the hashes of stored bytes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.domain.recipe import Step
from core.domain.tuning import Score


@dataclass(frozen=True)
class Model:
    """The bytes of one model in the store, with the format that they are in."""

    sha256: str
    size: int
    format: str


@dataclass(frozen=True)
class Data:
    """A labelled or unlabelled data set in the store, the name of its label column, and the half that a task may see, if not all."""

    sha256: str
    name: str
    label: str | None = None
    half: str | None = None

    @property
    def key(self) -> str:
        """The file name under which a child sees the data; the suffix is one of ours."""
        suffix = Path(self.name).suffix.lower()
        return "data" + (suffix if suffix in (".npz", ".csv", ".parquet", ".zip") else ".bin")


@dataclass(frozen=True)
class Golden:
    """The source's answers on the probes: the blob that holds them, and what the recording said."""

    sha256: str
    evidence: dict[str, Any]
    recorded: str
    """The blob with the same answers for a browser and Node."""


@dataclass(frozen=True)
class Along:
    """What a model is opened with beside its bytes: options such as its architecture, and files of the owner's by key."""

    given: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Trial:
    """Techniques to run in a row: those that must, those behind them that do where they gain, and the kind of child that has what they need."""

    steps: tuple[Step, ...]
    after: tuple[Step, ...]
    kind: str


@dataclass(frozen=True)
class Attempt:
    """A row of techniques that ran in one child: the steps, what each wrote where that is kept, and what the last one came to."""

    steps: tuple[Step, ...]
    models: tuple[Model, ...]
    size: int
    score: Score
    travel: int | None
    """Bytes when it is packed; None where that was not asked, or it is not packed."""


@dataclass(frozen=True)
class Lessons:
    """What attempts learn from and are scored on: the data, the names of the two parts, the blob of the source's answers, and the loss that is allowed."""

    data: Data
    learns: str
    scores: str
    answers: str
    allowed: float
