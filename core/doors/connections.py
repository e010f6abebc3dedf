"""Connections as the server takes them: so many at most, a short time for the head of a request, and none whose reader stands still.

uvicorn waits for a head for ever, and above its own bound answers everybody with 503; here the connection that has kept
its request back for longest makes room, so that who speaks is heard.
"""

import asyncio
from typing import ClassVar

import h11
from uvicorn import config
from uvicorn.protocols.http.h11_impl import H11Protocol

from core.domain.bounds import connections

HEAD_SECONDS = 10.0
STALL_SECONDS = 60.0
"""How long a client may take nothing of an answer; a download goes on by Range."""
REST_SECONDS = 1.0
"""How long a client may take to read an answer that came before its body was whole."""


class Connection(H11Protocol):
    """One connection of a client, until it becomes a WebSocket."""

    silent: ClassVar[dict["Connection", asyncio.TimerHandle]] = {}
    """Those whose request is not there yet, longest first, each with the clock that ends it."""

    _stalled: asyncio.TimerHandle | None = None
    _over = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, and end the one that has been silent for longest where there are too many."""
        super().connection_made(transport)
        self._listen()
        if len(self.connections) > connections():
            next(iter(self.silent)).end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._hear()
        self._moved()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Stop the clock when the head of the request is whole."""
        if self._over:
            return self.transport.pause_reading()
        super().data_received(data)
        if self.cycle is not None and self.cycle.transport is self.transport:
            self.cycle.transport = Lingering(self)  # type: ignore[assignment]
        if self.conn.their_state is not h11.IDLE:
            self._hear()
        else:
            self._listen()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE:
            self._listen()

    def pause_writing(self) -> None:
        """Give a client that takes nothing a while."""
        super().pause_writing()
        self._stalled = self.loop.call_later(STALL_SECONDS, self.end)

    def resume_writing(self) -> None:
        """Go on."""
        self._moved()
        super().resume_writing()

    def end(self) -> None:
        """Close the connection at once."""
        self._hear()
        self.transport.abort()

    def _listen(self) -> None:
        if self not in self.silent and not self.transport.is_closing():
            self.silent[self] = self.loop.call_later(HEAD_SECONDS, self.end)

    def finish(self) -> None:
        """Close the connection; where the client still sends, read no more, and give it a while to read the answer.

        A connection that is closed with bytes unread is reset, and on some systems the answer is lost with it.
        """
        if self.conn.their_state in (h11.DONE, h11.CLOSED, h11.MUST_CLOSE):
            return self.transport.close()
        self._over = True
        self.loop.call_later(REST_SECONDS, self.end)

    def _hear(self) -> None:
        if clock := self.silent.pop(self, None):
            clock.cancel()

    def _moved(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


class Lingering:
    """The transport of one answer, which is closed by its connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.write, self.is_closing = connection.transport.write, connection.transport.is_closing

    def close(self) -> None:
        """Leave the close to the connection."""
        self._connection.finish()


def install() -> None:
    """Have uvicorn take connections so; Streamlit starts it, and leaves no other way to say it."""
    config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{Connection.__name__}"
