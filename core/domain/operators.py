"""Where the time of a call goes, operator by operator, and what this machine could do at best."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

REACHED = 0.25
"""From this share of its time on, what the roof alone would take explains an operator."""


class Bound(StrEnum):
    """What an operator waits for: the processor's products, memory, or neither."""

    PRODUCTS = "products"
    MEMORY = "memory"
    OVERHEAD = "overhead"


@dataclass(frozen=True)
class Roof:
    """The most that one thread was seen to do here, through the engine itself: 10^9 operations (two a MAC) and 10^9 bytes a second."""

    gflops: float
    gbytes: float

    @property
    def ridge(self) -> float:
        """Operations a byte from which products are the limit, not memory."""
        return self.gflops / self.gbytes


@dataclass(frozen=True)
class Operator:
    """A node of the graph as it is served: its kind, how often it runs in a call, microseconds a call, MACs, and the bytes that it takes and gives, of which so many are weights."""

    name: str
    kind: str
    runs: float
    microseconds: float
    macs: int
    bytes: int
    weights: int

    @property
    def gflops(self) -> float:
        """10^9 operations a second."""
        return 2 * self.macs / self.microseconds / 1e3 if self.microseconds else 0.0

    @property
    def intensity(self) -> float:
        """Operations for each byte."""
        return 2 * self.macs / max(1, self.bytes)

    def ideal(self, roof: Roof) -> tuple[float, float]:
        """Return the microseconds that the products alone and the bytes alone would take under the roof."""
        return 2 * self.macs / roof.gflops / 1e3, self.bytes / roof.gbytes / 1e3

    def reached(self, roof: Roof) -> float:
        """Return the share of the roof that it reaches; above 1 where its bytes came from a cache."""
        return max(self.ideal(roof)) / self.microseconds if self.microseconds else 0.0

    def bound(self, roof: Roof) -> Bound:
        """Say what it waits for."""
        if self.reached(roof) < REACHED:
            return Bound.OVERHEAD
        products, memory = self.ideal(roof)
        return Bound.PRODUCTS if products >= memory else Bound.MEMORY


@dataclass(frozen=True)
class Kind:
    """All nodes of one kind."""

    kind: str
    nodes: int
    runs: float
    microseconds: float
    macs: int


@dataclass(frozen=True)
class Activations:
    """The memory that the values between the nodes need at least, and where they need most: bytes, and the node."""

    bytes: int
    node: str


@dataclass(frozen=True)
class Operators:
    """The nodes as they are served, the slowest first, over the quietest of the traced calls; ``call`` is microseconds of a whole one."""

    DERIVED: ClassVar = ("inside",)

    nodes: tuple[Operator, ...]
    roof: Roof
    calls: int
    call: float
    weights: int
    activations: Activations

    @property
    def total(self) -> float:
        """Microseconds of all nodes."""
        return sum(one.microseconds for one in self.nodes)

    @property
    def inside(self) -> float:
        """The share of a call that lies in the nodes; the rest hands out the work, and writes the trace."""
        return min(1.0, self.total / self.call) if self.call else 0.0

    @property
    def kinds(self) -> list[Kind]:
        """The nodes by kind, the slowest first."""
        names = dict.fromkeys(one.kind for one in self.nodes)
        return sorted((self._kind(name) for name in names), key=lambda kind: -kind.microseconds)

    def _kind(self, name: str) -> Kind:
        own = [one for one in self.nodes if one.kind == name]
        spent, macs = sum(one.microseconds for one in own), sum(one.macs for one in own)
        return Kind(name, len(own), sum(one.runs for one in own), spent, macs)

    def share(self, some: Iterable[Operator]) -> float:
        """Return which share of the nodes' time some of them take."""
        return sum(one.microseconds for one in some) / self.total if self.total else 0.0

    def of(self, bound: Bound) -> list[Operator]:
        """Return the nodes that wait for one thing."""
        return [one for one in self.nodes if one.bound(self.roof) is bound]


@dataclass(frozen=True)
class Spent:
    """What an engine says of one operator of its own, or of all of one kind: how often it runs in a call, and microseconds a call."""

    name: str
    kind: str
    runs: float
    microseconds: float


@dataclass(frozen=True)
class EngineTrace:
    """Where an engine's own clock sees the time of a call go, the slowest first, over the quietest of the traced calls; it tells no work and no bytes."""

    engine: str
    nodes: tuple[Spent, ...]
    calls: int

    @classmethod
    def of(cls, engine: str, calls: list[list[Spent]]) -> "EngineTrace":
        """Put the quietest quarter of some calls together."""
        quiet = sorted(calls, key=lambda call: sum(one.microseconds for one in call))[: max(1, len(calls) // 4)]
        spent: dict[tuple[str, str], tuple[float, float]] = {}
        for one in (one for call in quiet for one in call):
            runs, microseconds = spent.get((one.name, one.kind), (0.0, 0.0))
            spent[one.name, one.kind] = runs + one.runs, microseconds + one.microseconds
        n = len(quiet)
        nodes = [Spent(name, kind, runs / n, time / n) for (name, kind), (runs, time) in spent.items()]
        return cls(engine, tuple(sorted(nodes, key=lambda one: -one.microseconds)), n)

    @property
    def total(self) -> float:
        """Microseconds of all operators."""
        return sum(one.microseconds for one in self.nodes)

    @property
    def kinds(self) -> list[Kind]:
        """The operators by kind, the slowest first."""
        found = []
        for name in dict.fromkeys(one.kind for one in self.nodes):
            own = [one for one in self.nodes if one.kind == name]
            spent, runs = sum(one.microseconds for one in own), sum(one.runs for one in own)
            found.append(Kind(name, len(own), runs, spent, 0))
        return sorted(found, key=lambda kind: -kind.microseconds)
