"""The table of calls: what a child can be asked, looked up by name."""

from collections.abc import Mapping
from typing import Any

from core.calls import (
    answers,
    attempt,
    compare,
    compress,
    convert,
    diverge,
    evaluate,
    footprint,
    inspect,
    kernels,
    pack,
    probe,
    race,
    self_test,
    sensitivity,
    weights,
)
from core.calls.call import Call

CALLS: Mapping[str, Call[Any, Any]] = {
    module.CALL.name: module.CALL
    for module in (
        inspect, convert, compress, probe, compare, diverge, evaluate, race, footprint, pack, kernels, weights,
        sensitivity, answers, attempt, self_test,
    )
}  # fmt: skip
