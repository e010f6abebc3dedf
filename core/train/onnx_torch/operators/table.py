"""One row of the table of operators: the function, and how it takes its inputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.train.onnx_torch.values import Value

Key = tuple[str, str]
Results = Value | list[Value] | tuple[Value, ...]
"""What an operator gives: one value, or one for each output."""


@dataclass(frozen=True)
class Operator:
    """``run(node, *inputs)`` on tensors; inputs at ``static`` come as Python numbers, those at ``frozen`` are never trained, ``raw`` takes values as they are."""

    run: Callable[..., Results]
    static: tuple[int, ...] = ()
    frozen: tuple[int, ...] = ()
    raw: bool = False


Table = Mapping[Key, Operator]


def standard(rows: Mapping[str, Operator | Callable[..., Results]]) -> dict[Key, Operator]:
    """Return rows of the default domain; a plain function takes tensors alone."""
    return {("", name): row if isinstance(row, Operator) else Operator(row) for name, row in rows.items()}
