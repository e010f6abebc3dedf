"""A new server tried beside an old one: the terms, what the routing process is told, and what it tells."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True)
class Terms:
    """Shares from 0 to 1: of requests that the challenger answers, of those that both answer to be compared, and of answers that may differ.

    ``tolerance`` is how far numbers may lie apart, as a part of one plus their size; None where predictions are compared.
    """

    share: float = 0.1
    mirror: float = 1.0
    allowed: float = 0.01
    tolerance: float | None = None


@dataclass(frozen=True)
class Behind:
    """A server by the key that the routing process asks connections with, and the name of its model as an address has it."""

    key: int
    name: str


@dataclass(frozen=True)
class Plan:
    """Who answers, under which name the model is asked for whoever answers, and a number that grows with each plan."""

    number: int
    name: str
    champion: Behind
    challenger: Behind | None
    terms: Terms
    features: int = 0
    """How many numbers of each request are to be told; 0 for none."""


class Happening(StrEnum):
    """What the routing process tells."""

    PLANNED = "planned"
    DRAINED = "drained"
    ANSWERED = "answered"
    COMPARED = "compared"
    SKIPPED = "skipped"
    SEEN = "seen"


@dataclass(frozen=True)
class Event:
    """One thing that happened: the plan taken up, a server without requests inside, an answer, a comparison, one that was left out, or the numbers of a request.

    ``number`` is that of the plan, ``key`` the server's; ``status`` and ``ms`` are the answer's; ``differ`` says what a comparison found.
    """

    what: Happening
    number: int
    key: int = 0
    status: int = 0
    ms: float = 0.0
    differ: bool = False
    row: tuple[float, ...] = ()


@dataclass(frozen=True)
class Moment:
    """One answer or comparison: seconds since 1970, whose answer it was, its status and milliseconds, and what a comparison found."""

    at: float
    challenger: bool
    status: int
    ms: float
    differ: bool | None = None
