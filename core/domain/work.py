"""What tasks are asked about: a model, its data, its recorded answers, and recipes that are tried, all by the hashes of stored bytes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from core.domain.artifact import Artifact, Signature
from core.domain.landmarks import Landmarks
from core.domain.recipe import Option, Step
from core.domain.references import Sha256
from core.domain.split import Split
from core.domain.task import Task
from core.domain.tuning import Score


@dataclass(frozen=True)
class Model:
    """The bytes of one model in the store, with the format that they are in."""

    sha256: Sha256
    size: int
    format: str


@dataclass(frozen=True)
class NamedModel(Model):
    """A model with the name that its owner knows it by."""

    name: str


@dataclass(frozen=True)
class Subject(NamedModel):
    """The model that a verb is asked about: an artifact of the visitor's, None on the command line, and the owner's word that it may be loaded."""

    artifact: str | None = None
    consent: bool = False

    @classmethod
    def of(cls, artifact: Artifact) -> "Subject":
        """Return an artifact as verbs are asked about it."""
        one = artifact
        return cls(one.sha256, one.size, one.format, one.name, one.id, one.consented)

    @property
    def owned(self) -> str:
        """The artifact of a visitor's. Raises ValueError on the command line, where there is none."""
        if self.artifact is None:
            raise ValueError("this model is no artifact of anybody's")
        return self.artifact

    @property
    def model(self) -> Model:
        """The bytes alone."""
        return Model(self.sha256, self.size, self.format)

    @property
    def named(self) -> NamedModel:
        """The bytes with their name."""
        return NamedModel(self.sha256, self.size, self.format, self.name)


@dataclass(frozen=True)
class Code:
    """The owner's Python file that defines the network of a file of weights."""

    sha256: Sha256
    name: str


@dataclass(frozen=True)
class Data:
    """A labelled or unlabelled data set in the store, the name of its label column, and the half that a task may see, if not all.

    ``classes`` are the labels in the order of the model's class numbers, where their owner says so; ``columns`` is the
    order in which a model that has forgotten the names of its columns takes them; ``task`` says how raw samples become
    inputs, where that is declared.
    """

    sha256: Sha256
    name: str
    label: str | None = None
    half: str | None = None
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    task: Task | None = None
    split: Split | None = None
    """By which column the halves are cut, where not by chance."""

    @property
    def raw(self) -> bool:
        """Whether the file holds raw samples, which a task turns into inputs."""
        return self.name.lower().endswith(".zip")

    @property
    def key(self) -> str:
        """The file name under which a child sees the data; the suffix is one of ours."""
        suffix = Path(self.name).suffix.lower()
        return "data" + (suffix if suffix in (".npz", ".csv", ".jsonl", ".parquet", ".zip") else ".bin")


@dataclass(frozen=True)
class Recording:
    """What a child says of the answers that it recorded: the cases that count, the model's signature as it ran, whether the data has labels, the input shapes in the words that converters take, and where the model changes its behaviour."""

    cases: tuple[str, ...]
    signature: Signature
    versions: dict[str, str]
    labelled: bool
    shapes: str
    landmarks: Landmarks = field(default_factory=Landmarks)
    data: tuple[str, ...] = ()
    """How the data set was read, in a sentence each."""

    columns: tuple[str, ...] = ()
    """The names of the columns of the one table that the model takes, in order; empty where the file names none."""

    task: Task | None = None
    """How raw samples became inputs, declared or guessed; None where the data held inputs already."""


@dataclass(frozen=True)
class Golden:
    """The source's answers on the probes: the blob that holds them, and what the recording said."""

    INLINE: ClassVar = ("evidence",)

    sha256: Sha256
    evidence: Recording
    recorded: Sha256
    """The blob with the same answers for a browser and Node."""


@dataclass(frozen=True)
class Bundle:
    """A zip in the store: its SHA-256, its size in bytes, and the name under which it is downloaded."""

    sha256: Sha256
    size: int
    name: str


@dataclass(frozen=True)
class Along:
    """What a model is opened with beside its bytes: options such as its architecture, and files of the owner's by key."""

    given: dict[str, Option] = field(default_factory=dict)
    files: dict[str, Sha256] = field(default_factory=dict)


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
    answers: Sha256
    allowed: float
