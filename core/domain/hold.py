"""What must be kept, whoever would delete it, until an administrator lifts the hold."""

import datetime
from dataclasses import dataclass


@dataclass(frozen=True)
class Hold:
    """All of a visitor's, or (``artifact``) one model; why, by whom in words, and when in seconds since 1970."""

    id: str
    visitor: str
    artifact: str | None
    reason: str
    by: str
    since: float

    @property
    def sentence(self) -> str:
        """What those whom it concerns read; the reason is for administrators."""
        day = datetime.datetime.fromtimestamp(self.since)
        return f"{'On hold' if self.artifact is None else 'This model is on hold'} since {day:%Y-%m-%d %H:%M}, by {self.by}."
