"""What a prediction costs in money, energy and carbon dioxide: open formulas over figures that their owner edits, and no measurement.

energy [J] = processor seconds x watts a core x PUE (Greenberg et al. 2006: what the building takes on top)
carbon dioxide [g] = energy [kWh] x grams a kWh of the grid
money = processor seconds / (3600 x cores x utilization) x price an hour
"""

from dataclasses import dataclass

MILLION = 1_000_000
HOUR = 3600.0
JOULES = 3.6e6
"""In one kWh."""


@dataclass(frozen=True)
class Machine:
    """One row of the price table: a name, processor cores, and the price of an hour in the owner's currency."""

    name: str
    cores: float
    price: float

    def __post_init__(self) -> None:
        if not (self.cores > 0 and self.price >= 0):
            raise ValueError("a machine has cores, and a price that is not negative")


EXAMPLES = (
    Machine("Example: small virtual machine", 2, 0.10),
    Machine("Example: large virtual machine", 16, 0.80),
    Machine("Example: own server, written off in 4 years", 32, 0.35),
)
"""Rows to begin with; nobody's offer."""


@dataclass(frozen=True)
class Assumptions:
    """What the estimate stands on: the share of time in which the machine answers, watts of one busy core with its share of
    memory, the building's overhead (PUE, from 1), and grams of carbon dioxide a kWh."""

    utilization: float = 0.3
    watts: float = 8.0
    pue: float = 1.4
    grams: float = 400.0

    def __post_init__(self) -> None:
        if not (0 < self.utilization <= 1 and self.watts >= 0 and self.pue >= 1 and self.grams >= 0):
            raise ValueError("utilization is a share above 0, and PUE is at least 1")


@dataclass(frozen=True)
class Price:
    """What a million predictions take, estimated: money, kWh and grams."""

    money: float
    kwh: float
    grams: float


def price(cpu_ms: float, batch: int, machine: Machine, given: Assumptions) -> Price:
    """Return what a million predictions take, where a call of ``batch`` predictions takes ``cpu_ms`` of one core."""
    seconds = cpu_ms / 1000 / batch * MILLION
    kwh = seconds * given.watts * given.pue / JOULES
    return Price(
        money=seconds / (HOUR * machine.cores * given.utilization) * machine.price,
        kwh=kwh,
        grams=kwh * given.grams,
    )
