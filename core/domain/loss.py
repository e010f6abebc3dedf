"""What a variant lost against its source on the same samples, with bounds for samples that nobody has seen."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class PairedLoss:
    """The loss as a share: of right answers (or of predictions kept), or by which an error grew; negative where it is a gain.

    With 95 % confidence it is at least ``low`` on other samples of the same kind, and with 95 % confidence at most
    ``high``; ``core.proof.paired`` finds them. ``moved`` are the samples that are answered better or worse than before;
    where answers are right or wrong, ``lost`` were right and no longer are, and ``won`` the reverse.
    """

    samples: int
    share: float
    low: float
    high: float
    moved: int
    lost: int | None = None
    won: int | None = None
    unseen: float = 0.0
    """How much of the way up to ``high`` stands for changes too rare to be among the samples."""

    @property
    def bounds(self) -> str:
        """What this says of other samples, as a sentence; each of its bounds holds with 95 %."""
        if math.isinf(self.high):
            return f"{self.samples:,} samples are too few to say how much is lost on others."
        least = f" and at least {self.low:.2%}" if self.low > 0 else ""
        return f"On other samples the loss is at most {self.high:.2%}{least}, with 95 % confidence."
