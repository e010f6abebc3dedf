"""How a data set is cut into the half that is learned from and the half that is held out, where not by chance."""

from dataclasses import dataclass
from enum import StrEnum


class By(StrEnum):
    """What the column says of a sample."""

    GROUP = "group"
    """Samples of one group, such as one patient, stay together."""

    TIME = "time"
    """The later half is held out."""


@dataclass(frozen=True)
class Split:
    """The column by which samples are cut, and what it says."""

    column: str
    by: By

    @property
    def words(self) -> str:
        """By what the samples are cut, to be read after a verb."""
        return f"by the {self.by} in {self.column!r}"
