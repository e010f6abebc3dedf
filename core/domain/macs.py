"""How many multiplications with additions one call takes: by the graph's shapes, and by a run that watched every node."""

from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True)
class Tally:
    """A count, how much of it each kind of operator has, and in sentences what it could not tell or had to assume."""

    macs: int
    operators: dict[str, int] = field(default_factory=dict)
    assumed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Macs:
    """The count by shapes alone, None where the shapes do not come out, and its witness: the count of what ran, with how often a body was repeated."""

    DERIVED: ClassVar = ("agree", "told")

    static: Tally | None
    ran: Tally
    batch: int
    repeated: dict[str, int] = field(default_factory=dict)
    """By each body of a Loop, Scan or If, how often it ran."""

    through: str = ""
    """The format in which it was counted, where that is a conversion; empty where it is the file itself."""

    @property
    def agree(self) -> bool:
        """Say whether both counts are one."""
        return self.static is not None and self.static.macs == self.ran.macs

    @property
    def told(self) -> str:
        """Say in a sentence how far the count can be trusted."""
        if self.agree:
            return "Counted twice, by the shapes in the graph and by one run that was watched: both agree."
        if self.static is None:
            return "Counted by one run that was watched; the shapes in the graph alone do not tell."
        why = " ".join(self.static.assumed) or "The shapes in the graph are not those of the run."
        return f"The shapes in the graph alone give {self.static.macs:,}, the run {self.ran.macs:,}. {why}"
