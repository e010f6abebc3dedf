"""The report card of one artifact: what it costs to hold, to start and to ask, and under which conditions that was measured."""

from dataclasses import dataclass, field
from typing import ClassVar

from core.domain.advice import Advice, advise
from core.domain.macs import Macs
from core.domain.operators import EngineTrace, Operators
from core.domain.overhead import QUIET, Footprint
from core.domain.owners import Owner, owners
from core.domain.percentile import Percentile
from core.domain.references import Sha256
from core.domain.session_state import SessionState
from core.domain.stages import Stages
from core.domain.work import Data, Subject

DECIDING = frozenset(("If", "Loop", "Scan", "NonZero", "NonMaxSuppression", "TopK", "Unique"))
"""Operators by which the numbers that come in decide how much is computed."""


@dataclass(frozen=True)
class ProfileRequest:
    """The model, the data on which it is measured, the samples of one call, the threads of the runtime, and whether to try others of both.

    ``after`` is the job before it, so that measuring again is no equal work.
    """

    INLINE: ClassVar = ("subject",)

    subject: Subject
    data: Data | None = None
    batch: int = 1
    threads: int = 1
    curves: bool = False
    after: str | None = None


@dataclass(frozen=True)
class Timing:
    """How long one call takes: processor milliseconds (the median, with the bounds of its 95 % interval) and wall-clock milliseconds over ``runs`` calls in ``sessions`` sessions."""

    DERIVED: ClassVar = ("throughput", "disturbed")

    batch: int
    threads: int
    runs: int
    sessions: int
    cpu: float
    cpu_low: float
    cpu_high: float
    mean: float
    least: float
    percentiles: tuple[Percentile, ...]
    interference: float
    """Wall-clock time / processor time over all calls: 1 on a quiet machine, below 1 where several threads worked."""

    service: tuple[float, ...] = ()
    """Wall-clock milliseconds of a call at evenly spaced quantiles, from which queues are simulated."""

    @property
    def throughput(self) -> float:
        """Samples a second, as the wall clock saw it, with one call after the other."""
        return 1000 * self.batch / self.mean

    @property
    def disturbed(self) -> bool:
        """Say whether other work on the machine stretched the wall-clock times."""
        return self.interference > QUIET

    @property
    def typical(self) -> float:
        """The median of wall-clock milliseconds, or the mean where there were too few calls for one."""
        return next((one.value for one in self.percentiles if one.share == 0.5 and one.value is not None), self.mean)

    @property
    def latency(self) -> float:
        """Milliseconds of a call: of the processor on one thread, where it is the clock's on a quiet machine, else of the clock."""
        return self.cpu if self.threads == 1 else self.typical

    @property
    def rate(self) -> float:
        """Samples a second by that latency."""
        return 1000 * self.batch / self.latency


@dataclass(frozen=True)
class Curves:
    """The times of calls of growing size on one thread, and of one size on more and more threads; empty where the model or its runtime leaves no choice."""

    batches: tuple[Timing, ...]
    threads: tuple[Timing, ...]

    def sweet(self, limit: float) -> Timing | None:
        """Return the call that answers most samples a second within so many milliseconds, or None where none is as short."""
        fitting = [one for one in (*self.batches, *self.threads) if one.latency <= limit]
        return max(fitting, key=lambda one: one.rate, default=None)


@dataclass(frozen=True)
class Start:
    """Seconds from a bare interpreter to the first answer: importing the runtime, opening the file, the first call; each the median of ``runs`` fresh processes.

    ``imported`` is None where the runtime is there before a process of its kind begins.
    """

    DERIVED: ClassVar = ("total",)

    imported: float | None
    load: float
    first: float
    runs: int = 1
    spread: tuple[float, float] | None = None
    """The lowest and the highest total."""

    python: float | None = None
    runtime: float | None = None
    """Megabytes that the interpreter holds before the import, and what the import adds; None where it was not measured."""

    @property
    def total(self) -> float:
        """All three."""
        return (self.imported or 0.0) + self.load + self.first


@dataclass(frozen=True)
class Conditions:
    """Under what the figures were measured: the file, the runtime with versions, the machine, and its load (processes that want a processor, over one minute) before."""

    sha256: Sha256
    runtime: str
    versions: dict[str, str]
    machine: str
    threads: int
    batch: int
    load: float | None
    seed: int


@dataclass(frozen=True)
class Profile:
    """The report card, with the data that it was measured on and what makes it doubtful."""

    DERIVED: ClassVar = ("sentence", "advice", "owners")

    format: str
    size: int
    parameters: int | None
    timing: Timing
    start: Start
    memory: Footprint
    conditions: Conditions
    data: Data | None
    doubts: tuple[str, ...]
    seconds: float
    macs: Macs | None = None
    uncounted: str = ""
    """Why there is no count of MACs, in a sentence."""

    state: SessionState = field(default_factory=SessionState)
    """What the model keeps from one call to the next."""
    operators: Operators | None = None
    trace: Sha256 | None = None
    """The blob with the engine's own trace, in the form of Chrome's and Perfetto's viewers."""

    curves: Curves | None = None
    engine: EngineTrace | None = None
    """The engine's own times of operators, where it is not ONNX Runtime and tells some."""

    stages: Stages | None = None
    """The way of a sample from raw data to the answer, where the data are pictures or the model is a pipeline."""

    @property
    def owners(self) -> tuple[Owner, ...]:
        """Who owns the memory at the peak of inference."""
        return owners(self.start.python, self.start.runtime, self.memory, self.operators)

    @property
    def advice(self) -> Advice | None:
        """What the operators' figures lead to."""
        return advise(self.operators) if self.operators else None

    @property
    def sentence(self) -> str:
        """The three figures that decide, for somebody who is no engineer."""
        timing = self.timing
        one = "A call" if timing.batch == 1 else f"A call with {timing.batch} samples"
        told = f"{timing.cpu:.3g} ms of one processor, so one core answers about {timing.rate:,.0f} samples a second"
        if timing.threads > 1:
            told = f"{timing.latency:.3g} ms on {timing.threads} threads"
        return (
            f"{one} takes {told}. {self.memory.peak:,.0f} MB of memory must be free beside the runtime, "
            f"and the first answer comes {self.start.total:.2g} s after the start."
        )
