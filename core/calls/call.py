"""One thing that a child is asked to do: its declared request and answer, and the function that does it there.

Files are named by keys that the sandbox chose: ``in/<key>`` to read, ``out/`` to write.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from core.domain.codec import Json, decode, encode

Q = TypeVar("Q")
A = TypeVar("A")
IN, OUT = Path("in"), Path("out")
SEED = 20261121
Progress = Callable[[float | None, str], None]


@dataclass(frozen=True)
class Here:
    """Where a call runs: whether the jail is full, which is the sandbox's own word and never a caller's; called, it tells progress."""

    full: bool
    tell: Progress

    def __call__(self, fraction: float | None, text: str) -> None:
        self.tell(fraction, text)


@dataclass(frozen=True)
class Call(Generic[Q, A]):
    """A row of the table: the name, the shapes of request and answer, and the child's side."""

    name: str
    request: type[Q]
    answer: type[A]
    work: Callable[[Q, Here], A]

    def serve(self, args: Json, here: Here) -> Json:
        """Do the work from JSON to JSON, in the child. Raises Malformed for a request off the declaration."""
        answer: Json = encode(self.work(decode(self.request, args), here))
        return answer


@dataclass(frozen=True)
class Nothing:
    """The answer of a call that only writes files."""
