"""Two artifacts beside each other: time in pairs, memory, answers and graphs."""

from dataclasses import dataclass
from typing import ClassVar

from core.domain.difference import Difference
from core.domain.gate import Bounds, Gate
from core.domain.measures import Memory
from core.domain.operators import Operators
from core.domain.overhead import Pace, Race, apart
from core.domain.report import Parity, Verdict
from core.domain.work import Data, NamedModel, Subject


@dataclass(frozen=True)
class VersusRequest:
    """The new model, the old one, the data on which both are asked, the samples of one call, bounds that the new one must keep, and the job before it, so that measuring again is no equal work."""

    INLINE: ClassVar = ("subject",)

    subject: Subject
    against: Subject
    data: Data | None = None
    batch: int = 1
    bounds: Bounds | None = None
    threads: tuple[int, int] = (1, 1)
    """Those of the old model's engine and of the new one's."""

    after: str | None = None


@dataclass(frozen=True)
class KindTime:
    """One kind of operator as both are served: nodes, and microseconds of a call in all of them."""

    DERIVED: ClassVar = ("won",)

    kind: str
    nodes: tuple[int, int]
    microseconds: tuple[float, float]

    @property
    def won(self) -> float:
        """Microseconds of a call that the new model saves here; negative where it loses."""
        return self.microseconds[0] - self.microseconds[1]


def by_kind(old: Operators, new: Operators) -> tuple[KindTime, ...]:
    """Match what two engines' traces say by the kind of operator, the largest change first; nodes of one kind are merged and renamed by engines."""
    sides = [{one.kind: one for one in found.kinds} for found in (old, new)]
    rows = []
    for kind in sides[0].keys() | sides[1].keys():
        pair = [side.get(kind) for side in sides]
        nodes, spent = [one.nodes if one else 0 for one in pair], [one.microseconds if one else 0.0 for one in pair]
        rows.append(KindTime(kind, (nodes[0], nodes[1]), (spent[0], spent[1])))
    return tuple(sorted(rows, key=lambda one: (-abs(one.won), one.kind)))


@dataclass(frozen=True)
class Versus:
    """What was found; ``parity`` says whether the new model answers as the old one, ``difference`` is None where one of the two has no graph that can be read as ONNX."""

    DERIVED: ClassVar = ("sentence", "pace")

    model: NamedModel
    against: NamedModel
    race: Race
    memory: Memory
    parity: Parity
    difference: Difference | None
    gate: Gate | None
    data: Data | None
    seconds: float
    threads: tuple[int, int] = (1, 1)
    kinds: tuple[KindTime, ...] = ()
    """Where the time went in both, by kind of operator; empty where an engine gives no trace."""

    @property
    def clock(self) -> str:
        """Whose time was compared: the processor's, or where an engine had several threads, that on the wall."""
        return "processor time" if self.threads == (1, 1) else "wall-clock time"

    @property
    def names(self) -> tuple[str, str]:
        """What the old and the new one are called, with their threads where these are what differs."""
        given = zip((self.against.name, self.model.name), self.threads, strict=True)
        told = [f"{name} on {n} {'thread' if n == 1 else 'threads'}" for name, n in given]
        return (self.against.name, self.model.name) if self.threads == (1, 1) else (told[0], told[1])

    @property
    def pace(self) -> Pace:
        """The verdict on the speed of the new model."""
        return self.race.pace

    @property
    def sentence(self) -> str:
        """All in one sentence."""
        return f"{self.speed}; {self.peak}; {self.answers}."

    @property
    def speed(self) -> str:
        """The verdict on speed with its interval, in words."""
        race, (_, new) = self.race, self.names
        span = f"{race.low:.3f} to {race.high:.3f} times as fast by {self.clock}, 95 % interval"
        words = {
            Pace.FASTER: f"{new} is faster ({span})",
            Pace.SLOWER: f"{new} is slower ({span})",
            Pace.SAME: f"Both are equally fast within 1 % ({span})",
            Pace.UNCLEAR: f"Which one is faster is not clear ({span}); a longer measurement could tell",
        }
        return words[race.pace]

    @property
    def peak(self) -> str:
        """Both peaks of memory, in words, and whether they differ beyond their spread."""
        old, new = self.memory.before, self.memory.after
        told = f"peak memory {new.peak:.1f} MB against {old.peak:.1f} MB"
        clear = bool(old.spread and new.spread and apart(old.spread, new.spread))
        return told if clear else f"{told}, which is within the spread of the measurements"

    @property
    def answers(self) -> str:
        """Whether the answers are the same, in words."""
        flips = self.parity.top1_flips
        changed = f" ({flips.k:,} of {flips.n:,} predictions changed)" if flips else ""
        return {
            Verdict.PASS: "the answers are the same",
            Verdict.FAIL: f"the answers differ{changed}",
            Verdict.NOT_PROVEN: f"whether the answers are the same is not proven{changed}",
        }[self.parity.verdict]
