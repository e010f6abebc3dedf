"""Ways to make a model smaller or faster: one file each, one row each, on ONNX files.

Every technique writes a file that it has checked and loaded in stock ONNX Runtime; what it costs is measured on the
stored bytes by the verb.
"""

from core.domain.errors import Trouble
from core.domain.format import Summary
from core.domain.shelf import Shelf
from core.domain.technique import Technique
from core.techniques import (
    clean_trees,
    clean_up,
    codebooks,
    codebooks_second_order,
    distill,
    drop_blocks,
    dynamic_int8,
    fine_tune,
    float16,
    low_rank,
    prune_channels,
    prune_magnitude,
    prune_second_order,
    prune_trained,
    prune_trees,
    static_int8,
    weights_gptq,
    weights_nearest,
)

TECHNIQUES: Shelf[Technique] = Shelf(
    "technique",
    float16.TECHNIQUE,
    dynamic_int8.TECHNIQUE,
    static_int8.TECHNIQUE,
    weights_nearest.TECHNIQUE,
    weights_gptq.TECHNIQUE,
    codebooks.TECHNIQUE,
    codebooks_second_order.TECHNIQUE,
    prune_magnitude.TECHNIQUE,
    prune_second_order.TECHNIQUE,
    prune_trained.TECHNIQUE,
    prune_channels.TECHNIQUE,
    drop_blocks.TECHNIQUE,
    low_rank.TECHNIQUE,
    fine_tune.TECHNIQUE,
    distill.TECHNIQUE,
    prune_trees.TECHNIQUE,
    clean_up.TECHNIQUE,
    clean_trees.TECHNIQUE,
)


def misfits(summary: Summary) -> dict[str, Trouble]:
    """Return by id why techniques can do nothing for a model, by what its file says."""
    asked = {technique.id: technique.applies(summary) for technique in TECHNIQUES}
    return {id: trouble for id, trouble in asked.items() if trouble}
