"""Whether verdicts on a loss hold as often as they say: variants with a known loss are drawn again and again.

What is printed as one JSON object: how often a variant that loses exactly what is allowed is called PASS (5 % at most),
how often one without loss is, at the number of samples that a first, smaller sample asked for (80 % at least), both for
right and wrong answers and for errors of numbers, and both for a search that looks at ten candidates; beside it the same
for the interval of Agresti and Min. Run by ``python -m benchmarks.verdicts [draws]``; minutes of one core.
"""

import json
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from core.domain.report import Verdict
from core.domain.tuning import Point
from core.proof import paired
from core.verbs.tuning import finishing

DRAWS = 2000
Bound = Callable[[int, int, int], float]
ERRORS = ("normal", "heavy tails", "heavy changes", "few change", "skewed", "shifted", "in proportion")


def ours(lost: int, won: int, n: int) -> float:
    """Return the upper bound that verdicts stand on."""
    return paired.counts(lost, won, n).high


def agresti_min(lost: int, won: int, n: int) -> float:
    """Return the upper bound of the adjusted Wald interval, one-sided at 95 % (Agresti and Min 2005): half a sample more in each of four cells."""
    b, c, n = lost + 0.5, won + 0.5, n + 2
    return (b - c) / n + 1.645 * math.sqrt(b + c - (b - c) ** 2 / n) / n


def level(n: int, allowed: float, won: float, bound: Bound = ours) -> float:
    """Return the probability of a PASS for a variant that wins a share of answers and loses that and all that is allowed.

    No drawing: the pairs of counts that pass are those below a line, which is found for each number of answers won.
    """
    lost = won + allowed
    most_won = _reach(n * won)
    total, edge = 0.0, -1
    for c in range(most_won + 1):
        while edge < n and bound(edge + 1, c, n) <= allowed:
            edge += 1
        if edge >= 0:
            total += _share(c, n, won) * sum(_share(b, n - c, lost / (1 - won)) for b in range(edge + 1))
    return total


def _reach(mean: float) -> int:
    return math.ceil(mean + 7 * math.sqrt(mean)) if mean else 0


def _share(k: int, n: int, p: float) -> float:
    if p <= 0:
        return float(k == 0)
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))


def turned(n: int, lost: float, won: float, rng: np.random.Generator) -> tuple[int, int]:
    """Draw how many answers are lost and won."""
    found = rng.multinomial(n, (lost, won, 1 - lost - won))
    return int(found[0]), int(found[1])


def asked(n: int, rate: float, allowed: float, draws: int = DRAWS, seed: int = 0) -> dict[str, Any]:
    """Let a first sample of a variant without loss ask for a number of samples, and say how often that many show it."""
    rng, numbers, passed = np.random.default_rng(seed), [], 0
    for _ in range(draws):
        loss = paired.counts(*turned(n, rate / 2, rate / 2, rng), n)
        if paired.verdict(loss, allowed) is Verdict.NOT_PROVEN and (number := paired.needed(loss, allowed)):
            numbers.append(number)
            passed += ours(*turned(number, rate / 2, rate / 2, rng), number) <= allowed
    return {
        "not_proven_at_first": len(numbers) / draws,
        "asked_for": int(np.median(numbers)) if numbers else None,
        "passed": passed / len(numbers) if numbers else 1.0,
    }


def searched(n: int, rate: float, loss: float, allowed: float, draws: int = DRAWS, seed: int = 0) -> float:
    """Say how often a search with ten candidates, that all turn a rate of answers and lose as much, calls one PASS on ``n`` samples."""
    rng, passed = np.random.default_rng(seed), 0
    shares = ((rate + loss) / 2, (rate - loss) / 2)
    for _ in range(draws):
        points = []
        for number in range(10):
            lost, won = turned(n // 2, *shares, rng)
            bound = ours(2 * lost, 2 * min(lost, won), 2 * (n // 2))
            points.append(Point(number, "", number, "", "", (), 0.0, bound=bound))
        looked = finishing.order(sorted(points, key=finishing.reach, reverse=True), allowed)
        passed += ours(*turned(n, *shares, rng), n) <= allowed if looked else 0  # no PASS at the first ends it
    return passed / draws


def drawn(kind: str, n: int, growth: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw squared errors of a source and of a variant whose root mean square error is larger by ``growth`` in truth."""
    e, u = rng.normal(size=n), rng.normal(size=n)
    own, of_change = 1.0, 1.0
    if kind == "heavy tails":
        e, own = rng.standard_t(5, size=n), 5 / 3
    elif kind == "heavy changes":
        u, of_change = rng.standard_t(5, size=n), 5 / 3
    elif kind == "few change":
        u, of_change = u * (rng.random(n) < 0.2), 0.2
    elif kind == "skewed":
        e, own = e * np.exp(rng.normal(size=n) / 2), math.exp(0.5)
    elif kind == "shifted":
        u = np.ones(n)
    elif kind == "in proportion":
        u = u * np.abs(e)
    scale = math.sqrt(((1 + growth) ** 2 - 1) * own / of_change)
    return e**2, (e + scale * u) ** 2


def errors(kind: str, n: int, allowed: float, draws: int = DRAWS, seed: int = 0) -> dict[str, Any]:
    """Say how often an error that grew by what is allowed passes."""
    rng = np.random.default_rng(seed)
    found = [paired.verdict(paired.growth(*drawn(kind, n, allowed, rng)), allowed) for _ in range(draws)]
    return {"at_the_allowed": found.count(Verdict.PASS) / draws, "refuted": found.count(Verdict.FAIL) / draws}


def main(draws: int = DRAWS) -> None:
    """Print all that is drawn."""
    grid = [
        (n, a, w) for n in (150, 300, 511, 1000) for a in (0.002, 0.005, 0.01, 0.03) for w in (0.0, 0.001, 0.005, 0.02)
    ]
    levels = {
        name: max(level(*one, bound) for one in grid) for name, bound in (("ours", ours), ("agresti_min", agresti_min))
    }
    asking = {
        f"{n} first, {rate} moved, {allowed} allowed": asked(n, rate, allowed, draws)
        for n, rate, allowed in (
            (100, 0.02, 0.01),
            (511, 0.005, 0.005),
            (511, 0.02, 0.005),
            (511, 0.03, 0.01),
            (2000, 0.1, 0.01),
        )
    }
    ten = {
        f"{n} samples, {rate} moved, {allowed} allowed": {
            "at_the_allowed": searched(n, rate, allowed, allowed, draws),
            "without_loss": searched(n, rate, 0.0, allowed, draws),
        }
        for n, rate, allowed in ((511, 0.01, 0.005), (2900, 0.005, 0.005), (2000, 0.02, 0.01), (6800, 0.02, 0.005))
    }
    numbers = {
        f"{kind}, {n} samples, {a} allowed": errors(kind, n, a, draws)
        for kind in ERRORS
        for n in (100, 300)
        for a in (0.1,)
    }
    print(
        json.dumps(
            {"draws": draws, "level": levels, "asked": asking, "ten_candidates": ten, "errors": numbers}, indent=2
        )
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
