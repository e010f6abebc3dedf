"""Whose job is next: one visitor after another, so that the long line of one holds back nobody else's."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

LOOK_SECONDS = 5.0
"""How soon the line notices that an engine has more places than before."""


@dataclass(frozen=True)
class Places:
    """How many jobs run at once: ``open`` to everybody, and ``spare`` ones beyond for visitors who have none running.

    Half of the spare ones, rounded up, take any job; the others take brief ones alone, so that somebody's long job is not
    what the next visitor's upload waits for.
    """

    open: int
    spare: int = 0

    def most(self, newcomer: bool, brief: bool) -> int:
        """Return below which number of running jobs such a job may begin."""
        return self.open + (self.spare if brief else (self.spare + 1) // 2) * newcomer


class Turns:
    """The line of waiting jobs, and who runs how many; safe for many threads, and kept in memory alone."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._lines: dict[str, dict[str, bool]] = {}
        """By visitor, in the order of their turns: ids, oldest first, and whether the job is brief."""
        self._running: dict[str, str] = {}
        self._since: dict[str, float] = {}
        self._closed = False

    def add(self, visitor: str, id: str, brief: bool) -> None:
        """Put a job at the end of its visitor's line, unless it stands there."""
        with self._changed:
            self._lines.setdefault(visitor, {}).setdefault(id, brief)
            self._changed.notify()

    def drop(self, visitor: str, id: str) -> None:
        """Take a job that was cancelled out of the line."""
        with self._changed:
            if (line := self._lines.get(visitor)) is not None:
                line.pop(id, None)
                if not line:
                    del self._lines[visitor]

    def waiting(self, visitor: str) -> int:
        """Return how many jobs of a visitor wait."""
        with self._changed:
            return len(self._lines.get(visitor, ()))

    def position(self, visitor: str, id: str) -> int | None:
        """Return how many jobs begin up to and with this one, as things stand; None for one that does not wait."""
        with self._changed:
            if id not in self._lines.get(visitor, ()):
                return None
            own, ahead, before = list(self._lines[visitor]).index(id), 0, 1
            for other, line in self._lines.items():
                if other == visitor:
                    before = 0
                else:
                    ahead += min(len(line), own + before)
            return own + ahead + 1

    def running(self) -> list[float]:
        """Return for how many seconds each running job has run."""
        with self._changed:
            return [time.monotonic() - since for since in self._since.values()]

    def next(self, places: Callable[[], Places]) -> str | None:
        """Wait for a job that may begin, and count it as running until ``ended``; None once the line is closed."""
        while True:
            there = places()
            with self._changed:
                if self._closed:
                    return None
                if (id := self._chosen(there)) is not None:
                    return id
                self._changed.wait(LOOK_SECONDS)

    def ended(self, id: str) -> None:
        """Give the place of a job back."""
        with self._changed:
            del self._running[id], self._since[id]
            self._changed.notify_all()

    def close(self) -> None:
        """Let nothing more begin."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _chosen(self, places: Places) -> str | None:
        """Take the first job that may begin: of who runs the fewest, and of these of who has waited for the most turns."""
        held = Counter(self._running.values())
        for visitor in sorted(self._lines, key=held.__getitem__):
            for id, brief in self._lines[visitor].items():
                if len(self._running) < places.most(not held[visitor], brief) and id not in self._running:
                    self._begin(visitor, id)
                    return id
        return None

    def _begin(self, visitor: str, id: str) -> None:
        """Count a job as running, and put its visitor behind the others."""
        self._running[id], self._since[id] = visitor, time.monotonic()
        line = self._lines.pop(visitor)
        del line[id]
        if line:
            self._lines[visitor] = line
