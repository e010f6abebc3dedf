"""On which side of the cut each sample stands: by its content, by its group, or by its time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

import numpy as np

from core.domain.errors import Refused
from core.domain.split import By, Split
from core.domain.technique import HALVES, QUARTERS


@dataclass(frozen=True)
class Cut:
    """The value of the column for each sample [n]: texts that name groups, or seconds (or any other numbers) that tell the order."""

    split: Split
    values: np.ndarray

    def only(self, kept: np.ndarray) -> "Cut":
        """Return those of the rows where ``kept`` [n] bool says so."""
        return Cut(self.split, self.values[kept])

    @property
    def independent(self) -> int | None:
        """As how many samples that know nothing of each other these count at least (Kish 1965): n squared over the squares of the sizes of the groups; None for a cut by time."""
        if self.split.by is not By.GROUP:
            return None
        sizes = np.unique(self.values, return_counts=True)[1].astype(np.float64)
        return int(sizes.sum() ** 2 / (sizes**2).sum())

    def told(self, held: int, of: int) -> str:
        """Say how the halves were cut."""
        if self.split.by is By.TIME:
            return f"Split by time, the column {self.split.column!r}: the later {held:,} of {of:,} samples are the test half."
        return (
            f"Split by the groups of the column {self.split.column!r}, none of which is cut apart: {held:,} of {of:,} "
            f"samples are the test half, {self._groups()}"
        )

    def uncut(self) -> tuple[str, ...]:
        """Say in how many groups all samples stand; nothing where they have times, which tell nothing of samples that are not cut."""
        if self.split.by is By.TIME:
            return ()
        return (f"By the column {self.split.column!r}, these are {len(self.values):,} samples in {self._groups()}",)

    def _groups(self) -> str:
        groups = len(np.unique(self.values))
        return f"{groups:,} groups. Samples of one group are not independent, so these count as {self.independent:,}."


def read(split: Split, column: np.ndarray) -> Cut:
    """Return the cut by a column. Raises Refused where times are none."""
    if split.by is By.GROUP:
        return Cut(split, column.astype(np.str_))
    return Cut(split, np.array([_time(value, split.column) for value in column.tolist()], np.float64))


def _time(value: object, column: str) -> float:
    try:
        number = float(str(value))
        if np.isfinite(number):
            return number
    except ValueError:
        try:
            when = datetime.fromisoformat(str(value).strip())
            return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
        except ValueError:
            pass
    raise Refused(
        f"The column {column!r} holds {str(value)[:60]!r}, which is no time.",
        "Write times as 2026-05-01, 2026-05-01T12:30:00, or as numbers.",
    )


def parts(n: int, digest: Callable[[int], bytes], cut: Cut | None) -> list[tuple[str, ...]]:
    """Return for each sample the half that it belongs to, and in the first half its quarter too. Raises Refused where time does not tell them apart."""
    if cut is None:
        return [_hashed(digest(row)) for row in range(n)]
    if cut.split.by is By.GROUP:
        return [_hashed(sha256(name.encode()).digest()) for name in cut.values.tolist()]
    late = _later(cut.values, cut.split.column)
    later_of_first = np.zeros(n, bool)
    early = cut.values[~late]
    if len(np.unique(early)) > 1:
        later_of_first[~late] = _later(early, cut.split.column)
    return [
        (HALVES[1],) if held else (HALVES[0], QUARTERS[int(quarter)])
        for held, quarter in zip(late, later_of_first, strict=True)
    ]


def _hashed(digest: bytes) -> tuple[str, ...]:
    half, quarter = (byte % 2 for byte in digest[:2])
    return (HALVES[half], QUARTERS[quarter]) if half == 0 else (HALVES[half],)


def _later(times: np.ndarray, column: str) -> np.ndarray:
    """Return which samples are later than a time that leaves about half of them; equal times stay together."""
    known, counts = np.unique(times, return_counts=True)
    if len(known) < 2:
        raise Refused(
            f"All samples have the same time in the column {column!r}.", "Split by another column, or by none."
        )
    before = np.cumsum(counts)[:-1]
    later: np.ndarray = times > known[np.abs(before - len(times) / 2).argmin()]
    return later
