"""What one visitor may use in a day: processor minutes of the children of their jobs, and bytes that come in."""

import logging

from core.domain.bounds import bounds, renewal
from core.domain.errors import Cancelled, TooMany
from core.domain.limits import MB
from core.memory.store import Store
from core.sandbox.tools import Meter

log = logging.getLogger(__name__)


class Budget(Meter):
    """One visitor's day; what was used stands in the store, so that a restart gives nothing back."""

    def __init__(self, store: Store, visitor: str) -> None:
        self._store, self._visitor = store, visitor

    def check(self) -> None:
        """Raise Cancelled where the processor minutes are used up: no verb takes it for a refusal of what it tried, and goes on."""
        try:
            self.admit()
        except TooMany as error:
            raise Cancelled(f"This job was stopped. {error.message}", error.next_step) from None

    def admit(self) -> None:
        """Raise TooMany where the processor minutes are used up."""
        minutes = bounds().minutes
        if minutes is not None and self._store.spent(self._visitor).seconds >= 60 * minutes:
            raise TooMany(
                f"You have used your {minutes:,} processor minutes of today.",
                f"{renewal()} Whoever runs the server can raise PORTOLAN_DAY_MINUTES.",
            )

    def spend(self, seconds: float) -> None:
        """Count processor time; that it could not be written down ends no job."""
        try:
            self._store.spend(self._visitor, seconds=seconds)
        except Exception as error:
            log.warning("%.1f s of processor time could not be written down: %s", seconds, error)

    def left_bytes(self) -> int | None:
        """Return how many bytes may still come in today; None where nothing bounds them."""
        most = bounds().bytes
        return None if most is None else max(0, most - self._store.spent(self._visitor).bytes)

    def receive(self, size: int) -> None:
        """Count bytes that came in, kept or not."""
        self._store.spend(self._visitor, bytes=size)


def check_bytes(size: int, left: int | None) -> None:
    """Raise TooMany where a file of ``size`` bytes is more than is left of today."""
    if left is not None and size > left:
        raise TooMany(
            f"Of what you may send today, {left // MB:,} MB are left, and this file is larger.",
            f"{renewal()} Whoever runs the server can raise PORTOLAN_DAY_GB.",
        )
