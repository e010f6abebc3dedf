"""What visitors have on a server, and what the server works at, as its administrators see it: figures and titles, no contents."""

from dataclasses import dataclass

from core.domain.allowance import Allowance
from core.domain.bounds import Spent


@dataclass(frozen=True)
class Holding:
    """What one visitor has: bytes count each of their files once; last is when something was brought or begun, in seconds since 1970; spent is of today."""

    visitor: str
    name: str
    email: str
    models: int
    datasets: int
    jobs: int
    bytes: int
    last: float
    spent: Spent
    allowed: Allowance


@dataclass(frozen=True)
class Task:
    """A job as an administrator sees it; began in seconds since 1970."""

    id: str
    visitor: str
    name: str
    title: str
    state: str
    message: str
    began: float
