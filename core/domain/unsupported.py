"""What stands in the way of a conversion: all operators at once, each with its places in the graph."""

from collections.abc import Sequence
from dataclasses import dataclass

PLACES = 3
"""How many places of one operator are named; the rest are counted."""


@dataclass(frozen=True)
class Unsupported:
    """One node that a converter has no rule for: operator, name, place in the graph's order from 1, and its layer if known."""

    operator: str
    node: str
    place: int
    layer: str = ""

    def where(self) -> str:
        """Name the node with its place, and its layer if that is known."""
        layer = f" in {self.layer}" if self.layer else ""
        return f"{self.node or 'without a name'!r}{layer}, node {self.place}"


def told(found: Sequence[Unsupported]) -> str:
    """Name all operators, the most frequent ones too only once, each with its first places in the graph."""
    groups: dict[str, list[Unsupported]] = {}
    for one in found:
        groups.setdefault(one.operator, []).append(one)
    return "; ".join(f"{operator} ({_places(nodes)})" for operator, nodes in groups.items())


def _places(nodes: Sequence[Unsupported]) -> str:
    shown = "; ".join(one.where() for one in nodes[:PLACES])
    return shown + (f"; and {len(nodes) - PLACES} more" if len(nodes) > PLACES else "")
