"""How much the answers of a model vary over samples: a difference says nothing by itself, and an answer that never changes proves nothing."""

from dataclasses import dataclass, field

import numpy as np

from core.proof.directed import STORED

ORDINARY = ("random", "data", STORED)
"""Cases whose samples are drawn alike, or were kept by the model, so that their spread is the model's own."""
SHARE = 0.05
"""The root mean square difference, as a share of the standard deviation of the answers, that is still rounding."""
NOISE = 1e-7
"""Columns that vary by less than this share of the largest answer are below what float32 holds beside it."""
ECHO = 2 / SHARE
"""Columns that vary by no more than this many times what one rounding of the inputs changes in them, and by less than ``FAINT``: there, two engines that each round once differ by ``SHARE``."""
FAINT = 1e-6
"""The share of the largest answer up to which a column may be its rounding: sixteen steps of float32. What varies by more turns quickly, and says something still."""


@dataclass
class Sums:
    """What is added up over the samples of one output of one shape, by the number in a sample: float64 [columns] each."""

    shift: np.ndarray
    count: int = 0
    total: np.ndarray | float = 0.0
    squares: np.ndarray | float = 0.0
    noise: np.ndarray | float = 0.0

    def add(self, a: np.ndarray, b: np.ndarray) -> None:
        """Take the samples [n, columns] of source and result."""
        moved = a - self.shift
        self.count += len(a)
        self.total, self.squares = self.total + moved.sum(axis=0), self.squares + (moved * moved).sum(axis=0)
        self.noise = self.noise + ((a - b) ** 2).sum(axis=0)

    def too_kind(self, largest: float, echo: np.ndarray | float = 0.0) -> bool:
        """Say whether a column of the result, or all of them together, differs by more than a share of how it varies.

        ``echo`` is the root mean square [columns] of what one rounding of the inputs changes in the source's answers.
        """
        mean = np.asarray(self.total) / self.count
        variance = np.maximum(np.asarray(self.squares) / self.count - mean * mean, 0.0)
        heard = np.minimum(ECHO * np.asarray(echo), FAINT * largest)
        noise, told = np.asarray(self.noise) / self.count, np.sqrt(variance) > np.maximum(NOISE * largest, heard)
        columns = noise[told] > SHARE**2 * variance[told]
        return bool(columns.any() or noise[told].sum() > SHARE**2 * variance[told].sum())


@dataclass
class Variation:
    """How one output varies over all samples that count."""

    name: str
    first: np.ndarray | None = None
    varies: bool = False
    numbers: bool = False
    largest: float = 0.0
    sums: dict[int, Sums] = field(default_factory=dict)
    echoes: dict[int, list[np.ndarray]] = field(default_factory=dict)

    def add(self, case: str, a: np.ndarray, b: np.ndarray) -> None:
        """Take the answers of source and result to one call, samples first."""
        if not a.size:
            return
        a, b = np.atleast_1d(a), np.atleast_1d(b)
        self.first = a.reshape(-1)[:1] if self.first is None else self.first
        self.numbers = a.dtype.kind == "f"
        self.varies = self.varies or bool((a != self.first.astype(a.dtype)).any())
        if case in ORDINARY and self.numbers and np.isfinite(a).all() and np.isfinite(b).all():
            rows, others = (x.reshape(len(x), -1).astype(np.float64) for x in (a, b))
            self.largest = max(self.largest, float(np.abs(rows).max()))
            self.sums.setdefault(rows.shape[1], Sums(rows[0])).add(rows, others)

    def hear(self, a: np.ndarray, moved: np.ndarray) -> None:
        """Take what the source answers to one call and to the same with its inputs moved by one rounding, samples first."""
        if (
            a.shape == moved.shape
            and a.size
            and a.dtype.kind == "f"
            and np.isfinite(a).all()
            and np.isfinite(moved).all()
        ):
            rows, others = (np.atleast_1d(x).reshape(len(np.atleast_1d(x)), -1).astype(np.float64) for x in (a, moved))
            self.echoes.setdefault(rows.shape[1], []).append((rows - others) ** 2)

    def too_kind(self) -> bool:
        """Say whether differences within the tolerance are as large as the answers vary."""
        return any(
            sums.count > 1 and sums.too_kind(self.largest, self._echo(columns)) for columns, sums in self.sums.items()
        )

    def _echo(self, columns: int) -> np.ndarray | float:
        """Return the root mean square [columns] of what was heard."""
        heard = self.echoes.get(columns)
        return np.sqrt(np.concatenate(heard).mean(axis=0)) if heard else 0.0


def unproven(variations: list[Variation]) -> str:
    """Say why a comparison that found nothing proves nothing, or nothing."""
    still = [one.name for one in variations if not one.varies]
    if variations and len(still) == len(variations):
        return f"Every answer is the same number ({', '.join(map(repr, still[:4]))}), so nothing could differ: add a data set on which the answers vary."
    for one in variations:
        if one.too_kind():
            return (
                f"The differences in the output {one.name!r} are within the tolerance, but the answers themselves hardly vary more: "
                f"the differences are over {SHARE:.0%} of their standard deviation. Scale the output, or compare on data with larger answers."
            )
    return ""
