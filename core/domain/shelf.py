"""An ordered, typed table of the entries of one kind; the file's name is the entry's id everywhere."""

from collections.abc import Iterator
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from core.domain.errors import Refused


class Need(Protocol):
    """Optional libraries that an entry can need."""

    @property
    def id(self) -> str:
        """Their name."""

    def unavailable(self) -> str | None:
        """Return why they cannot be used here and how to install them, or None when they can."""


class Entry:
    """What every book on a shelf has: an id (its file's name), a title, a sentence, and whether it can run here."""

    title: str
    sentence: str
    group: ClassVar[Need | None] = None
    """The optional libraries without which the entry cannot run."""

    @property
    def id(self) -> str:
        """The name of the file that defines the entry."""
        return type(self).__module__.rpartition(".")[2]

    def unavailable(self) -> str | None:
        """Return why the entry cannot run on this machine, or None when it can."""
        return self.group.unavailable() if self.group else None

    def to_json(self) -> dict[str, Any]:
        """Return what the command line and the page list about the entry."""
        reason = self.unavailable()
        return {
            "id": self.id,
            "title": self.title,
            "sentence": self.sentence,
            "available": reason is None,
            "reason": reason,
            "group": self.group.id if self.group else None,
        }


T = TypeVar("T", bound=Entry)


class Shelf(Generic[T]):
    """Entries of one kind, looked up by id; data never chooses what is imported."""

    def __init__(self, kind: str, *entries: T) -> None:
        self.kind = kind
        self._entries = {entry.id: entry for entry in entries}
        if len(self._entries) != len(entries):
            raise ValueError(f"two {kind} entries share an id")

    def __iter__(self) -> Iterator[T]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, id: object) -> bool:
        return id in self._entries

    def __getitem__(self, id: str) -> T:
        try:
            return self._entries[id]
        except KeyError:
            known = ", ".join(self._entries)
            raise Refused(f"There is no {self.kind} called {id!r}.", f"Choose one of: {known}.") from None
