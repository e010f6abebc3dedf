"""Recipes to begin with: techniques that are known to go well together, each named by what it is for."""

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
        "Small and fast: integers, stored in 4 bits",
        Recipe((Step("static_int8", {"weight_bits": 4, "table_bits": 4}), Step("clean_up"))),
    ),
    Preset(
        "narrow_and_fast",
        "Fastest: fewer channels, then integers",
        Recipe((Step("prune_channels", {"share": 0.2}), Step("static_int8", {"weight_bits": 4}), Step("clean_up"))),
    ),
    Preset(
        "smallest",
        "Smallest: few values a tensor, corrected on samples",
        Recipe((Step("codebooks_second_order", {"bits": 2.0}), Step("clean_up"))),
    ),
    Preset(
        "student",
        "A student: half the channels, trained from the original's answers",
        Recipe((Step("prune_channels", {"share": 0.5}), Step("fine_tune"), Step("clean_up"))),
    ),
    Preset(
        "deep_compression",
        "Deep compression: pruned while it trains, shared, trained once more",
        Recipe(
            (
                Step("prune_trained", {"share": 0.9}),
                Step("codebooks_second_order", {"bits": 3.0}),
                Step("fine_tune"),
                Step("clean_up"),
            )
        ),
    ),
)
