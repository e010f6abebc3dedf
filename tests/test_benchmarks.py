"""The benchmarks run: each that needs no data from outside does its smallest piece here, the real way."""

from benchmarks import dispatch


def test_a_round_of_dispatch_times_answer_and_cancel() -> None:
    found = dispatch.measure(1, {"light": dispatch.MODELS["light"]}, breath=0.0)
    assert {name: len(taken) for name, taken in found["samples"].items()} == {"light": 1, "cancel": 1}
    assert all(value > 0 for value in found["median"].values())
