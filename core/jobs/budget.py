"""What may be used: processor minutes of the children of jobs and bytes that come in, both in a day, and bytes that are kept.

A day is that of the person who begins a job or sends a file, wherever they work, so that more projects give nobody more;
a project has a day too where an administrator gave it one. What is kept counts for the library that it lies in.
"""

import logging

from core.domain.allowance import Allowance, Left
from core.domain.bounds import Spent, bounds, renewal
from core.domain.errors import Cancelled, TooMany
from core.domain.limits import MB
from core.domain.project import PREFIX
from core.memory.store import Store
from core.sandbox.tools import Meter

log = logging.getLogger(__name__)
MORE = "Whoever runs the server can allow more, by {} or on the page Administration."
ROOM = f"Delete what is no longer needed. {MORE.format('PORTOLAN_VISITOR_GB')}"


def allowed(store: Store, visitor: str) -> Allowance:
    """Return what a visitor or a project may use: as an administrator said, else as the settings say, which give projects no day."""
    own, usual, day = store.allowances.of(visitor), bounds(), not visitor.startswith(PREFIX)
    return Allowance(
        minutes=usual.minutes if own.minutes is None and day else own.minutes,
        sent=usual.bytes if own.sent is None and day else own.sent,
        kept=usual.kept if own.kept is None else own.kept,
    )


class Budget(Meter):
    """What is left to one person in one library; what was used stands in the store, so that a restart gives nothing back."""

    def __init__(self, store: Store, visitor: str, library: str | None = None) -> None:
        self._store, self._library = store, library or visitor
        self._accounts = tuple(dict.fromkeys((visitor, self._library)))

    def check(self) -> None:
        """Raise Cancelled where nothing is left: no verb takes it for a refusal of what it tried, and goes on."""
        try:
            self.admit()
        except TooMany as error:
            raise Cancelled(f"This job was stopped. {error.message}", error.next_step) from None

    def admit(self) -> None:
        """Raise TooMany where the processor minutes are used up, or the library is full."""
        for account in self._accounts:
            minutes = allowed(self._store, account).minutes
            if minutes is not None and self._spent(account).seconds >= 60 * minutes:
                raise TooMany(
                    f"{_who(account)} {minutes:,} processor minutes of today.",
                    f"{renewal()} {MORE.format('PORTOLAN_DAY_MINUTES')}",
                )
        kept = allowed(self._store, self._library).kept
        if kept is not None and self._store.kept_bytes(self._library) >= kept:
            raise TooMany(f"The files of this library take the {kept // MB:,} MB that it may have.", ROOM)

    def spend(self, seconds: float) -> None:
        """Count processor time; that it could not be written down ends no job."""
        try:
            for account in self._accounts:
                self._store.spend(account, seconds=seconds)
        except Exception as error:
            log.warning("%.1f s of processor time could not be written down: %s", seconds, error)

    def left(self) -> Left | None:
        """Return how many bytes may still come in; None where nothing bounds them."""
        found = []
        for account in self._accounts:
            if (sent := allowed(self._store, account).sent) is not None:
                day = f"{renewal()} {MORE.format('PORTOLAN_DAY_GB')}"
                what = (
                    "Of what may be sent into this project today" if _project(account) else "Of what you may send today"
                )
                found.append(Left(max(0, sent - self._spent(account).bytes), what, day))
        if (kept := allowed(self._store, self._library).kept) is not None:
            room = max(0, kept - self._store.kept_bytes(self._library))
            found.append(Left(room, "Of what this library may take", ROOM))
        return min(found, key=lambda left: left.bytes, default=None)

    def receive(self, size: int) -> None:
        """Count bytes that came in, kept or not."""
        for account in self._accounts:
            self._store.spend(account, bytes=size)

    def _spent(self, account: str) -> Spent:
        return self._store.spent(account)


def check_bytes(size: int, left: Left | None) -> None:
    """Raise TooMany where a file of ``size`` bytes is more than is left."""
    if left is not None and size > left.bytes:
        raise TooMany(f"{left.of}, {left.bytes // MB:,} MB are left, and this file is larger.", left.next_step)


def _project(account: str) -> bool:
    return account.startswith(PREFIX)


def _who(account: str) -> str:
    return "This project has used its" if _project(account) else "You have used your"
