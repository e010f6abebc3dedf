"""One row of the table of operators: the function, and how it takes its inputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Key = tuple[str, str]


@dataclass(frozen=True)
class Operator:
    """``run(node, *inputs)`` on tensors; inputs at ``static`` come as Python numbers, those at ``frozen`` are never trained, ``raw`` takes values as they are."""

    run: Callable[..., Any]
    static: tuple[int, ...] = ()
    frozen: tuple[int, ...] = ()
    raw: bool = False


Table = Mapping[Key, Operator]


def standard(rows: Mapping[str, Operator | Callable[..., Any]]) -> dict[Key, Operator]:
    """Return rows of the default domain; a plain function takes tensors alone."""
    return {("", name): row if isinstance(row, Operator) else Operator(row) for name, row in rows.items()}
