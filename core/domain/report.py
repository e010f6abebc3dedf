"""What measures found, with the evidence beside every number."""

import math
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self


class Verdict(StrEnum):
    """The three answers of a proof; ``worst`` of several is the one that counts."""

    PASS = "PASS"  # noqa: S105
    NOT_PROVEN = "NOT PROVEN"
    FAIL = "FAIL"

    @staticmethod
    def worst(verdicts: "list[Verdict]") -> "Verdict":
        """Return FAIL if there is one, else NOT PROVEN if there is one or there is none at all, else PASS."""
        if Verdict.FAIL in verdicts:
            return Verdict.FAIL
        return Verdict.PASS if verdicts and Verdict.NOT_PROVEN not in verdicts else Verdict.NOT_PROVEN


@dataclass(frozen=True)
class Count:
    """k of n with the bounds of its 95 % Wilson score interval (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""

    k: int
    n: int

    def interval(self) -> tuple[float, float]:
        """Return the lower and upper bound of the share; (0, 1) when nothing was counted."""
        if self.n == 0:
            return 0.0, 1.0
        z = 1.959963984540054
        p, n = self.k / self.n, self.n
        centre, spread = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        scale = 1 + z * z / n
        lower = (centre - spread) / scale if self.k else 0.0
        upper = (centre + spread) / scale if self.k < n else 1.0
        return lower, upper

    def to_json(self) -> dict[str, Any]:
        """Return k, n and the interval."""
        return {"k": self.k, "n": self.n, "interval": list(self.interval())}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a count from ``to_json``."""
        return cls(int(value["k"]), int(value["n"]))


@dataclass(frozen=True)
class Check:
    """The comparison on one kind of input: ``random``, ``edge``, ``batch 1``, ``batch 3`` or ``data``."""

    name: str
    samples: int
    max_abs: float
    max_rel: float
    sqnr_db: float | None
    flips: Count | None
    verdict: Verdict
    detail: str = ""
    percentiles: tuple[float, ...] = ()
    """The absolute differences below which 50, 90 and 99 % of all compared numbers lie."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values; infinite differences become text."""
        value = asdict(self) | {"verdict": str(self.verdict), "flips": self.flips.to_json() if self.flips else None}
        return {k: str(v) if isinstance(v, float) and not math.isfinite(v) else v for k, v in value.items()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a check from ``to_json``."""
        return cls(
            value["name"],
            int(value["samples"]),
            float(value["max_abs"]),
            float(value["max_rel"]),
            None if value["sqnr_db"] is None else float(value["sqnr_db"]),
            Count.from_json(value["flips"]) if value["flips"] else None,
            Verdict(value["verdict"]),
            value.get("detail", ""),
            tuple(value.get("percentiles", ())),
        )


@dataclass(frozen=True)
class Parity:
    """Whether two files give the same answers: the checks, the declared tolerance, and where the two part if they do."""

    verdict: Verdict
    checks: tuple[Check, ...]
    absolute: float
    relative: float
    seed: int
    versions: dict[str, str] = field(default_factory=dict)
    machine: str = ""
    diverges_at: str | None = None
    reason: str = ""

    @property
    def max_abs(self) -> float:
        """Largest absolute difference over all checks."""
        return max((check.max_abs for check in self.checks), default=math.nan)

    @property
    def max_rel(self) -> float:
        """Largest relative difference over all checks."""
        return max((check.max_rel for check in self.checks), default=math.nan)

    @property
    def sqnr_db(self) -> float | None:
        """Smallest signal-to-noise ratio over the checks that have one, in decibels; None when every answer was identical."""
        return min((c.sqnr_db for c in self.checks if c.sqnr_db is not None), default=None)

    @property
    def flips(self) -> Count | None:
        """Changed predictions over all samples that have a prediction."""
        counts = [check.flips for check in self.checks if check.flips]
        return Count(sum(c.k for c in counts), sum(c.n for c in counts)) if counts else None

    def to_json(self) -> dict[str, Any]:
        """Return the verdict with its evidence; the keys of DESIGN section 6 stand on the top level."""
        finite = {"max_abs": self.max_abs, "max_rel": self.max_rel}
        return {
            "verdict": str(self.verdict),
            **{k: v if math.isfinite(v) else str(v) for k, v in finite.items()},
            "sqnr_db": self.sqnr_db,
            "top1_flips": self.flips.to_json() if self.flips else None,
            "checks": [check.to_json() for check in self.checks],
            "tolerance": {"absolute": self.absolute, "relative": self.relative},
            "seed": self.seed,
            "versions": self.versions,
            "machine": self.machine,
            "diverges_at": self.diverges_at,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a parity from ``to_json``."""
        return cls(
            Verdict(value["verdict"]),
            tuple(Check.from_json(check) for check in value["checks"]),
            value["tolerance"]["absolute"],
            value["tolerance"]["relative"],
            value["seed"],
            value["versions"],
            value["machine"],
            value["diverges_at"],
            value["reason"],
        )


@dataclass(frozen=True)
class Quality:
    """How well a model does on labelled data: the metric's name, its value, and k of n where the metric counts."""

    metric: str
    value: float
    samples: int
    correct: Count | None = None
    classes: dict[str, Count] = field(default_factory=dict)
    """By label, the samples of that class and those of them that are answered right; empty where there are too many."""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        classes = {name: count.to_json() for name, count in self.classes.items()}
        return asdict(self) | {"correct": self.correct.to_json() if self.correct else None, "classes": classes}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a quality from ``to_json``."""
        correct = Count.from_json(value["correct"]) if value["correct"] else None
        classes = {name: Count.from_json(count) for name, count in value.get("classes", {}).items()}
        return cls(value["metric"], float(value["value"]), int(value["samples"]), correct, classes)
