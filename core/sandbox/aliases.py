"""One stable address of loopback in front of a champion and, at times, a challenger, which is judged by the answers of both.

The routing process is a jailed child: what strangers send and what models answer is parsed there and not here. It holds the one
port, can open no connection, and asks this side for one to a server of its own alias, which is handed over as an open file
(unix(7), SCM_RIGHTS). Counts come back as declared lines; what they mean is decided here.
"""

import json
import os
import socket
import subprocess  # noqa: TID251
import threading
import time
from collections import deque
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import IO
from urllib.parse import quote

from core.domain import drift
from core.domain.agreement import Agreement
from core.domain.canary import Behind, Event, Happening, Moment, Plan, Terms
from core.domain.codec import Malformed, decode, encode
from core.domain.errors import Refused
from core.domain.report import Verdict
from core.sandbox.watched import HOST, Watched

MOMENTS = 5_000
LINE_BYTES = 1 << 16
CONNECT_SECONDS = 5.0
SWITCH_SECONDS, DRAIN_SECONDS = 5.0, 35.0


class Alias(Watched):
    """The address, the servers behind it, and what is known of whether they agree."""

    module = "core.doors.routed"
    health = "/v2/health/live"

    def __init__(self, owner: str, champion: Watched, folder: Path) -> None:
        super().__init__(owner, f"Alias of {champion.title}", folder, {})
        self._name = champion.name
        self.champion, self.challenger = champion, None
        self.former: Watched | None = None
        """The champion before the last promotion, to which one click leads back."""

        self.terms, self.outcome = Terms(), ""
        self.compared = self.differ = self.skipped = 0
        self.moments: deque[Moment] = deque(maxlen=MOMENTS)
        self.took: float | None = None
        """Seconds from the last switch until the routing process followed it."""

        self.reference: drift.Reference | None = None
        self.windows, self.moved = 0, tuple[drift.Moved, ...]()
        """Windows of requests that were compared with the test data, and what moved in the last one."""

        self._window: list[tuple[float, ...]] = []
        self._numbers, self._fresh = count(1), count(2)
        self.keys = {1: champion}
        """What the routing process may ask for. A server that was let go is forgotten, as its port may be anybody's then."""

        self._used = {1}
        self.number, self._ordered = next(self._numbers), time.monotonic()
        self._lock, self._followed, self._draining = threading.RLock(), threading.Event(), set[int]()
        self._quiet = threading.Condition(self._lock)
        self.begin()

    challenger: Watched | None

    @property
    def name(self) -> str:
        """The name under which its model is asked for, whoever answers."""
        return self._name

    @property
    def agreement(self) -> Agreement:
        """What is known of whether champion and challenger agree."""
        return Agreement(self.compared, self.differ, self.terms.allowed)

    def propose(self, challenger: Watched, terms: Terms) -> None:
        """Try a server beside the champion. Raises Refused for terms off the bounds, or where one is tried already."""
        shares = terms.share, terms.mirror, terms.allowed
        if not all(0 <= one <= 1 for one in shares) or not 0 < terms.allowed < 1:
            raise Refused("These shares are off the bounds.", "Choose them between 0 and 100 %.")
        if terms.tolerance is not None and not 0 <= terms.tolerance < 1:
            raise Refused("This tolerance is off the bounds.", "Choose it between 0 and 1.")
        with self._lock:
            if self.challenger is not None or challenger is self.champion:
                raise Refused("One challenger is tried at a time.", "Roll back first.")
            self.challenger, self.terms = challenger, terms
            self.compared = self.differ = self.skipped = 0
            self._switch(f"{challenger.title} is tried.")

    def promote(self, words: str = "promoted by hand") -> None:
        """Have the challenger answer every request from now on; what the champion is at is answered by it."""
        with self._lock:
            if self.challenger is None:
                raise Refused("There is no challenger.", "Try a server beside this one first.")
            self.champion, self.challenger, self.former = self.challenger, None, self.champion
            self._switch(f"{self.champion.title}: {words}.")

    def roll_back(self, words: str = "rolled back by hand") -> None:
        """Take the challenger out, or else go back to the champion before the last promotion. Raises Refused where there is neither."""
        with self._lock:
            if self.challenger is not None:
                gone, self.challenger = self.challenger, None
            elif self.former is not None:
                gone, self.champion, self.former = self.champion, self.former, None
            else:
                raise Refused("There is nothing to go back to.", "Try a server beside this one first.")
            self._switch(f"{gone.title}: {words}.")

    def watch(self, reference: drift.Reference) -> None:
        """Compare the inputs of requests with test data from now on, a window after another."""
        with self._lock:
            self.reference, self.windows, self.moved, self._window = reference, 0, (), []
            self.number = next(self._numbers)
            self._order()

    @property
    def waiting(self) -> int:
        """How many requests the next window still needs."""
        return drift.WINDOW - len(self._window)

    def settled(self) -> bool:
        """Wait until the routing process follows the last switch, and say whether it does."""
        return self._followed.wait(SWITCH_SECONDS)

    def drained(self) -> bool:
        """Wait until nobody waits for a server that was switched away from, and say whether that is so."""
        with self._quiet:
            return self._quiet.wait_for(lambda: not self._draining, DRAIN_SECONDS)

    def release(self, server: Watched) -> bool:
        """Let a server go that is to be stopped; False where it is the champion with nobody to take over."""
        with self._lock:
            if server is self.challenger or (server is self.champion and self.former is not None):
                self.roll_back("its server was stopped")
            if server is self.former:
                self.former = None
            if server is self.champion:
                return False
        self.settled()
        self.drained()
        with self._lock:
            self.keys.pop(self._key(server), None)
        return True

    def _switch(self, words: str) -> None:
        used = {self._key(one) for one in (self.champion, self.challenger) if one is not None}
        self._draining, self._used = (self._draining | self._used) - used, used
        self.number, self.outcome, self.took = next(self._numbers), words, None
        self._followed.clear()
        self._ordered = time.monotonic()
        self._order()

    def _order(self) -> None:
        """Tell the routing process the plan; without one, the next learns it at its start."""
        if self._process is None or self._process.stdin is None:
            return
        features = 0 if self.reference is None else len(self.reference.names)
        other = None if self.challenger is None else self._behind(self.challenger)
        plan = Plan(self.number, quote(self.name, safe=""), self._behind(self.champion), other, self.terms, features)
        with suppress(OSError, ValueError):  # it ended, and is begun again
            os.write(self._process.stdin.fileno(), f"{json.dumps(encode(plan))}\n".encode())

    def _behind(self, server: Watched) -> Behind:
        return Behind(self._key(server), quote(server.name, safe=""))

    def _key(self, server: Watched) -> int:
        known = next((key for key, one in self.keys.items() if one is server), None)
        if known is None:
            known = next(self._fresh)
            self.keys[known] = server
        return known

    def _begun(self) -> "subprocess.Popen[bytes]":
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = self._start((theirs.fileno(),), subprocess.PIPE, subprocess.PIPE)
        with self._lock:
            self._process = process
            # The new process does not know which requests were compared, so that one could count twice.
            self.compared = self.differ = self.skipped = 0
            self._draining.clear()
            self._quiet.notify_all()
            self._order()
        threading.Thread(target=self._hand_out, args=(mine,), daemon=True).start()
        threading.Thread(target=self._listen, args=(process, process.stdout), daemon=True).start()
        return process

    def _hand_out(self, end: socket.socket) -> None:
        """Open connections for the routing process, to the servers of this alias only."""
        with end, suppress(OSError, ValueError):
            while asked := end.recv(16):
                server = self.keys.get(int(asked))
                try:
                    if server is None:
                        raise OSError("no such server")
                    with socket.create_connection((HOST, server.port), CONNECT_SECONDS) as opened:
                        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        socket.send_fds(end, [b"1"], [opened.fileno()])
                except OSError:
                    end.send(b"0")

    def _listen(self, process: "subprocess.Popen[bytes]", events: IO[bytes]) -> None:
        """Read what the routing process tells; one that writes anything else is ended, and begun again."""
        with suppress(ValueError, OSError):  # its output is closed with it
            while line := events.readline(LINE_BYTES):
                try:
                    event = decode(Event, json.loads(line))
                except (Malformed, ValueError, RecursionError):
                    process.kill()
                    return
                with self._lock:
                    if process is self._process:
                        self._note(event)

    def _note(self, event: Event) -> None:
        now = time.time()
        match event.what:
            case Happening.PLANNED if event.number == self.number and not self._followed.is_set():
                self.took = time.monotonic() - self._ordered
                self._followed.set()
            case Happening.DRAINED:
                self._draining.discard(event.key)
                self._quiet.notify_all()
            case Happening.ANSWERED:
                theirs = self.challenger is not None and self.keys.get(event.key) is self.challenger
                self.moments.append(Moment(now, theirs, event.status, event.ms))
            case Happening.SKIPPED if event.number == self.number:
                self.skipped += 1
            case Happening.COMPARED if event.number == self.number and self.challenger is not None:
                self.compared, self.differ = self.compared + 1, self.differ + event.differ
                self.moments.append(Moment(now, True, 0, 0.0, event.differ))
                self._judge()
            case Happening.SEEN if self.reference is not None and len(event.row) == len(self.reference.names):
                self._window.append(event.row)
                if len(self._window) >= drift.WINDOW:
                    self.windows += 1
                    self.moved, self._window = drift.moved(self.reference, self._window, self.windows), []
            case _:
                pass

    def _judge(self) -> None:
        """Promote or roll back as soon as one of the two is proven."""
        found = self.agreement
        if found.verdict is Verdict.PASS:
            self.promote(f"promoted, because {found.sentence}".rstrip("."))
        elif found.verdict is Verdict.FAIL:
            self.roll_back(f"rolled back, because {found.sentence}".rstrip("."))
