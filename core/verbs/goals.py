"""Where to begin for a goal: techniques in the order in which they are recommended, of which the first that fits a model is taken."""

from collections.abc import Mapping, Sequence

from core.domain.format import Summary
from core.domain.technique import Technique
from core.domain.tuning import Goal
from core.techniques import TECHNIQUES, misfits

ORDER: Mapping[Goal, Sequence[str]] = {
    Goal.SIZE: ("codebooks_second_order", "codebooks", "prune_trees", "clean_up"),
    Goal.LATENCY: ("static_int8", "dynamic_int8"),
}
"""For these goals; a search serves all of them."""


def beginning(summary: Summary, goal: Goal, has_data: bool) -> Technique | None:
    """Return the first technique that fits the model and needs no data that is not there; else the first that fits, or None.

    Of the two ways to integer arithmetic each was slower than the original where the other one is taken: dynamic ranges on
    convolutions, and static ranges on a transformer (docs/compression.md).
    """
    convolves = any("Conv" in name for name in summary.operators or {})
    unfit = {*misfits(summary), "dynamic_int8" if convolves else "static_int8"}
    fitting = [TECHNIQUES[id] for id in ORDER[goal] if id not in unfit and TECHNIQUES[id].unavailable() is None]
    return next((one for one in fitting if has_data or not one.calibrates), next(iter(fitting), None))
