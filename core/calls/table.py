"""The table of calls: what a child can be asked, by the name of the call and of its module.

A module is imported when its call is made, so that a child which asks little loads little.
"""

import importlib
from typing import Any

from core.calls.call import Call

NAMES = (
    "inspect", "convert", "compress", "probe", "compare", "float64", "diverge", "evaluate", "race", "footprint", "pack", "kernels",
    "weights", "correspond", "sensitivity", "answers", "attempt", "preview", "likely", "raw_samples", "figures", "fit", "rehearse",
    "self_test",
    "timing", "cold_start", "macs", "operators", "spent", "stages", "curves", "growth", "differ", "training_cost", "features",
)  # fmt: skip


def call(name: str) -> Call[Any, Any]:
    """Return the row of a call. Raises KeyError for a name that is not in the table."""
    if name not in NAMES:
        raise KeyError(name)
    found: Call[Any, Any] = importlib.import_module(f"core.calls.{name}").CALL
    return found
