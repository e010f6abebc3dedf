"""One sentence of advice that follows from where the time goes, with the technique that it leads to."""

from dataclasses import dataclass

from core.domain.operators import Bound, Operator, Operators

DECISIVE = 0.5
"""The share of the time that one limit must explain before anything is advised."""
CACHED = 4 << 20
"""Bytes of weights below which a processor keeps them near: 20 layers of 128 x 128 took 1.35 times as long in int8."""
INTEGER = ("QLinear", "Integer", "QGemm", "QAttention", "NBits")
TREES = "Pruning them makes the file smaller, but answered no sooner where it was measured, so nothing follows for the time."
"""What ``benchmarks/advice.py`` found: 0 of 2 forests became faster, one 9 % slower with a file six times smaller."""


@dataclass(frozen=True)
class Advice:
    """The sentence, and the id of a technique; no technique where none follows. ``larger_batch`` promises less time a sample in calls with several."""

    sentence: str
    technique: str | None = None
    larger_batch: bool = False


def advise(found: Operators) -> Advice:
    """Judge by what most of the time waits for. It is a guess from figures: Compress measures whether it was right."""
    if (trees := found.share(one for one in found.nodes if one.kind.startswith("TreeEnsemble"))) > 0.5:
        return Advice(f"{trees:.0%} of the time is spent in decision trees. {TREES}")
    shares = {bound: found.share(found.of(bound)) for bound in Bound}
    most = max(shares, key=lambda bound: shares[bound])
    if shares[most] < DECISIVE:
        parts = ", ".join(f"{share:.0%} {bound}" for bound, share in shares.items())
        return Advice(f"No single limit decides ({parts} of the time), so no technique follows from the figures alone.")
    if most is Bound.OVERHEAD:
        return _overhead(found, shares[most])
    return (_memory if most is Bound.MEMORY else _products)(found.of(most), shares[most])


def _overhead(found: Operators, share: float) -> Advice:
    words = (
        f"{share:.0%} of the time is neither products nor memory: it goes into handing out {len(found.nodes):,} operators "
        "and into work on single numbers. Calls with several samples should take less time a sample; smaller weights will not."
    )
    return Advice(words, larger_batch=True)


def _memory(nodes: list[Operator], share: float) -> Advice:
    moved, weights = sum(one.bytes for one in nodes), sum(one.weights for one in nodes)
    if 2 * weights < moved:
        words = "most of it values between the operators: fewer channels should pay; smaller weights will not."
        return Advice(f"{share:.0%} of the time is bound by memory, {words}", "prune_channels")
    if any(sign in one.kind for one in nodes for sign in INTEGER):
        words = "most of it weights that are integers already: weights of fewer bits should pay."
        return Advice(f"{share:.0%} of the time is bound by memory, {words}", "weights_gptq")
    if weights < CACHED:
        words = "of weights so small that a cache keeps them, so nothing follows from the figures alone."
        return Advice(f"{share:.0%} of the time goes into moving bytes, {words}")
    words = "most of it weights: int8 weights should pay; pruning channels wins less."
    return Advice(f"{share:.0%} of the time is bound by memory, {words}", "dynamic_int8")


def _products(nodes: list[Operator], share: float) -> Advice:
    spent = sum(one.microseconds for one in nodes)
    convolutions = sum(one.microseconds for one in nodes if "Conv" in one.kind)
    integer = any(sign in one.kind for one in nodes for sign in INTEGER)
    begun = f"{share:.0%} of the time is bound by products"
    if 2 * convolutions >= spent or integer:
        return Advice(f"{begun}: fewer channels should pay; smaller files alone will not be faster.", "prune_channels")
    return Advice(f"{begun} of matrices: int8 arithmetic should pay, and so would fewer channels.", "dynamic_int8")
