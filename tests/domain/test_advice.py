"""Advice follows from the figures: which operators wait for what, and what that leads to."""

import pytest

from core.domain.advice import advise
from core.domain.operators import Activations, Bound, Operator, Operators, Roof
from core.techniques import TECHNIQUES

ROOF = Roof(gflops=100.0, gbytes=20.0)


def node(kind: str, microseconds: float, macs: int = 0, bytes: int = 0, weights: int = 0) -> Operator:
    """Return a node that runs once."""
    return Operator(kind, kind, 1, microseconds, macs, bytes, weights)


@pytest.mark.parametrize(
    ("one", "bound", "technique", "words"),
    [
        # 4 MFLOP at 100 GFLOP/s are 40 us
        (node("Conv", 50, macs=2_000_000, bytes=10_000), Bound.PRODUCTS, "prune_channels", "fewer channels"),
        (node("MatMul", 50, macs=2_000_000, bytes=10_000), Bound.PRODUCTS, "dynamic_int8", "int8 arithmetic"),
        # 1 MB at 20 GB/s are 50 us
        (node("Gemm", 600, 2_500_000, 10_000_000, 9_900_000), Bound.MEMORY, "dynamic_int8", "int8 weights"),
        (node("Gemm", 60, 250_000, 1_000_000, 990_000), Bound.MEMORY, None, "a cache keeps them"),
        (node("MatMulInteger", 60, 250_000, 1_000_000, 990_000), Bound.MEMORY, "weights_gptq", "fewer bits"),
        (node("Add", 60, 0, 1_000_000), Bound.MEMORY, "prune_channels", "between the operators"),
        (node("Reshape", 5, 0, 16), Bound.OVERHEAD, None, "several samples"),
        (node("TreeEnsembleClassifier", 9, 0, 100), Bound.OVERHEAD, None, "nothing follows for the time"),
    ],
)
def test_what_an_operator_waits_for_leads_to_a_technique(
    one: Operator, bound: Bound, technique: str | None, words: str
) -> None:
    found = advise(Operators((one, node("Relu", 1)), ROOF, 10, 100.0, 0, Activations(0, "")))
    assert one.bound(ROOF) is bound
    assert found.technique == technique
    assert technique is None or technique in TECHNIQUES
    assert words in found.sentence


def test_where_no_limit_decides_nothing_is_advised() -> None:
    some = node("Conv", 40, macs=1_800_000, bytes=10), node("Add", 40, 0, 700_000), node("Reshape", 30)
    found = advise(Operators(some, ROOF, 10, 120.0, 0, Activations(0, "")))
    assert found.technique is None
    assert "36% products, 36% memory, 27% overhead" in found.sentence
