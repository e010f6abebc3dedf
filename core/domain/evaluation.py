"""A model measured on labelled data, alone or against another."""

from dataclasses import dataclass
from typing import ClassVar

from core.domain.compression import MAX_DROP
from core.domain.loss import PairedLoss
from core.domain.measures import Kept, Qualities
from core.domain.metric import Figure
from core.domain.report import Parity, Quality
from core.domain.work import Data, Subject


@dataclass(frozen=True)
class EvaluateRequest:
    """The model, the data, the model that it should answer like, and the artifact on whose page this was asked."""

    INLINE: ClassVar = ("subject",)

    subject: Subject
    data: Data | None = None
    against: Subject | None = None
    page: str | None = None
    max_drop: float = MAX_DROP
    """How much of the quality may be lost against the other model, where a metric is declared."""


@dataclass(frozen=True)
class Against:
    """The other model's quality, the proof against its recorded answers, the blob that holds these, and what the model loses against the other."""

    quality: Quality | None
    parity: Parity
    golden: str
    loss: PairedLoss | None = None
    kept: Kept | None = None


@dataclass(frozen=True)
class Evaluation:
    """What was measured; quality is None without labels."""

    quality: Quality | None
    against: Against | None
    data: Data | None
    seconds: float
    peak_rss_mb: float
    read: tuple[str, ...] = ()
    """How the data was read, and why its labels may not fit, in a sentence each."""

    figures: tuple[Figure, ...] = ()
    """What other metrics say of the model, beside its quality."""

    before: tuple[Figure, ...] = ()
    """The same of the model that it was compared with."""

    @property
    def qualities(self) -> Qualities | None:
        """Both qualities beside each other, where both were measured."""
        if self.against is None or self.against.quality is None or self.quality is None:
            return None
        return Qualities(self.against.quality, self.quality, self.against.loss, self.against.kept)
