"""Recipes to begin with: techniques in an order in which each leaves the next something to do."""

from dataclasses import dataclass

from core.domain.recipe import Recipe, Step


@dataclass(frozen=True)
class Preset:
    """A recipe with the words that a person chooses it by."""

    id: str
    title: str
    recipe: Recipe


PRESETS = (
    Preset(
        "small_and_fast",
        "Integer arithmetic, weights stored in 4 bits",
        Recipe((Step("static_int8", {"weight_bits": 4, "table_bits": 4}), Step("clean_up"))),
    ),
    Preset(
        "narrow_and_fast",
        "Fewer channels, then integer arithmetic",
        Recipe((Step("prune_channels", {"share": 0.2}), Step("static_int8", {"weight_bits": 4}), Step("clean_up"))),
    ),
    Preset(
        "smallest",
        "Few values per tensor, corrected on samples",
        Recipe((Step("codebooks_second_order", {"bits": 2.0}), Step("clean_up"))),
    ),
    Preset(
        "student",
        "Half the channels, trained on the original's answers",
        Recipe((Step("prune_channels", {"share": 0.5}), Step("fine_tune"), Step("clean_up"))),
    ),
    Preset(
        "deep_compression",
        "Deep compression: pruned, trained, shared, trained",
        Recipe(
            (
                Step("prune_second_order", {"share": 0.7}),
                Step("fine_tune"),
                Step("codebooks_second_order", {"bits": 3.0}),
                Step("fine_tune"),
                Step("clean_up"),
            )
        ),
    ),
)
