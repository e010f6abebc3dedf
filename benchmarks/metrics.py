"""Whether verdicts on metrics hold as often as they say: samples are drawn from a population whose true loss is known.

What is printed as one JSON object: for each metric and each way in which a variant is worse, how often a variant that
loses exactly what is allowed is called PASS (5 % at most), how often FAIL (5 % at most), and how often one without any loss in truth is
called PASS at the number of samples that a first, smaller sample asked for (80 % is aimed at; docs/decisions/verdicts.md says what is reached).
Run by ``python -m benchmarks.metrics [draws]``; about an hour of one core for 2,000.
"""

import json
import sys
from dataclasses import replace
from typing import Any

import numpy as np

from core.domain.metric import Answers, Metric, Needs
from core.domain.report import Verdict
from core.metrics import METRICS
from core.proof import paired, redrawn

DRAWS, PEOPLE = 2000, 30_000
WAYS = ("noise", "few fall", "rare class falls")
NOISE, FALL, FALL_OF_RARE, RARE = 0.7, 0.01, 0.1, 0.08


def population(metric: Metric, way: str, seed: int = 0, people: int = PEOPLE) -> tuple[Answers, Answers]:
    """Return answers of a source and of a worse variant: all a little noisier, a few as wrong as can be, or a tenth of a rare class."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, people, p=(0.5, 0.5 - RARE, RARE)) if metric.id != "top_5" else rng.integers(8, size=people)
    falls = rng.random(people) < FALL if way == "few fall" else (labels == 2) & (rng.random(people) < FALL_OF_RARE)
    if metric.needs is Needs.TEXTS:
        return _texts(rng, falls, way)
    if metric.needs is Needs.NUMBERS:
        truth, off = rng.normal(size=people), rng.normal(size=people) * 0.4
        worse = off + (0.25 * rng.normal(size=people) if way == "noise" else np.where(falls, 3.0, 0.0))
        return Answers(truth, truth + off), Answers(truth, truth + worse)
    logits = 3.0 * np.eye(8 if metric.id == "top_5" else 3)[labels] + rng.normal(size=(people, labels.max() + 1))
    if metric.id == "calibration_error":
        logits *= 3.0  # the posterior of these classes, so that the source is calibrated
    worse = 2.0 * logits if metric.id == "calibration_error" else logits + NOISE * rng.normal(size=logits.shape)
    after = worse if way == "noise" else np.where(falls[:, None], -logits, logits)
    return _scored(labels, logits), _scored(labels, after)


def _scored(labels: np.ndarray, logits: np.ndarray) -> Answers:
    wide = np.exp(logits - logits.max(axis=1, keepdims=True))
    return Answers(labels, logits.argmax(axis=1), wide / wide.sum(axis=1, keepdims=True))


def _texts(rng: np.random.Generator, falls: np.ndarray, way: str) -> tuple[Answers, Answers]:
    """Return words of which some lose letters."""
    labels = np.array(["the quick", "brown fox", "jumps over", "a lazy dog", "seven"])[rng.integers(5, size=len(falls))]
    before = np.where(rng.random(len(falls)) < 0.1, np.char.replace(labels, "o", "0"), labels)
    noisy = np.where(rng.random(len(falls)) < 0.1, np.char.replace(before, "e", "c"), before)
    return Answers(labels, before), Answers(labels, noisy if way == "noise" else np.where(falls, "", before))


def rows(answers: Answers, picked: np.ndarray) -> Answers:
    """Return some of the samples."""
    scores = None if answers.scores is None else answers.scores[picked]
    return Answers(answers.labels[picked], answers.found[picked], scores)


def true_loss(metric: Metric, before: Answers, after: Answers) -> float:
    """Return what a variant loses in truth."""
    return float(redrawn.lost(metric, *(metric.value(one) for one in (before, after))))


def level(id: str, way: str, n: int, draws: int = DRAWS, seed: int = 1) -> dict[str, Any]:
    """Say how often a variant that loses exactly what is allowed is called PASS, or FAIL."""
    metric, rng = METRICS[id], np.random.default_rng(seed)
    before, after = population(metric, way)
    allowed, found = true_loss(metric, before, after), []
    for _ in range(draws):
        picked = rng.integers(len(before.labels), size=n)
        loss = redrawn.loss(metric, rows(before, picked), rows(after, picked))
        found.append(Verdict.NOT_PROVEN if loss is None else paired.verdict(loss, allowed))
    return {
        "allowed": round(allowed, 4),
        "passed": found.count(Verdict.PASS) / draws,
        "failed": found.count(Verdict.FAIL) / draws,
    }


def asked(id: str, n: int, allowed: float, draws: int = DRAWS, seed: int = 2) -> dict[str, Any]:
    """Let a first sample of a variant that is only noisier in one of ten answers, and no worse, ask for a number of samples, and say how often that many show it."""
    metric, rng = METRICS[id], np.random.default_rng(seed)
    before, after = _mirrored(metric)
    numbers, passed = [], 0
    for _ in range(draws):
        picked = rng.integers(len(before.labels), size=n)
        one = redrawn.loss(metric, rows(before, picked), rows(after, picked))
        number = paired.needed(one, allowed) if one and paired.verdict(one, allowed) is Verdict.NOT_PROVEN else None
        if number is None:
            continue
        numbers.append(number)
        picked = rng.integers(len(before.labels), size=number)
        again = redrawn.loss(metric, rows(before, picked), rows(after, picked))
        passed += again is not None and paired.verdict(again, allowed) is Verdict.PASS
    return {
        "not_proven_at_first": len(numbers) / draws,
        "asked_for": int(np.median(numbers)) if numbers else None,
        "passed": passed / len(numbers) if numbers else 1.0,
    }


def _mirrored(metric: Metric) -> tuple[Answers, Answers]:
    """Return two variants that are each as good as the other: of each pair of people, one stands on each side."""
    one, other = population(metric, "noise")
    swap = np.random.default_rng(5).random(len(one.labels)) < 0.5
    sides = []
    for a, b in ((one, other), (other, one)):
        scores = None if a.scores is None or b.scores is None else np.where(swap[:, None], a.scores, b.scores)
        sides.append(replace(a, found=np.where(swap, a.found, b.found), scores=scores))
    return sides[0], sides[1]


def main(draws: int = DRAWS) -> None:
    """Print all that is drawn."""
    levels = {
        f"{one.id}, {way}, {n} samples": level(one.id, way, n, draws)
        for one in METRICS
        for way in WAYS
        for n in (150, 500)
    }
    asking = {one.id: asked(one.id, 500, 0.1 if one.grows else 0.02, draws // 10) for one in METRICS}
    print(json.dumps({"draws": draws, "level": levels, "asked": asking}, indent=2))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
