"""What is measured: a model with its data, the drop that is allowed, what is to be reached, and our recipes from mild to strong."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.compression import nets
from benchmarks.compression.data import Data
from core.domain.recipe import Step

SAMPLES = Path(__file__).parents[2] / "sample_models"
RUNS, TRAVELS, SPEED = "file size", "download size", "latency"


@dataclass(frozen=True)
class Aim:
    """What one line of recipes is for: times smaller or faster, by the measure of that name."""

    measure: str
    least: float
    words: str
    drop: float | None = None
    """Where it is another than that of the work."""


@dataclass(frozen=True)
class Line:
    """Recipes from mild to strong for one aim; the strongest within the drop on the choosing samples is the one that is tested."""

    name: str
    aims: tuple[Aim, ...]
    recipes: tuple[tuple[Step, ...], ...]


@dataclass(frozen=True)
class Work:
    """One model with its data; ``drop`` is the share of the samples by which right answers may become fewer."""

    name: str
    title: str
    source: Callable[[Data, Path], Path]
    data: str
    drop: float
    rows: int
    """Samples that are learned from at most."""

    lines: tuple[Line, ...]
    peers: tuple[str, ...]
    published: str = ""
    flips: bool = True
    """Whether answers may change at all."""


def sparse(share: float, bits: float, minutes: float, epochs: int, polish: float) -> tuple[Step, ...]:
    """Return the recipe of Deep Compression with our techniques: prune in training, share values, train the shared values."""
    return (
        Step("prune_trained", {"share": share, "minutes": minutes, "epochs": epochs}),
        Step("codebooks_second_order", {"bits": bits, "spread": "even"}),
        Step("fine_tune", {"minutes": polish, "epochs": epochs}),
        Step("clean_up"),
    )


def twice(first: float, share: float, bits: float, minutes: float, epochs: int, polish: float) -> tuple[Step, ...]:
    """Return the recipe of ``sparse`` with a milder pruning before it."""
    before = Step("prune_trained", {"share": first, "minutes": minutes, "epochs": epochs})
    return before, *sparse(share, bits, minutes, epochs, polish)


def one_shot(share: float, bits: float, minutes: float) -> tuple[Step, ...]:
    """Return a recipe that prunes and shares by second order, and only then trains."""
    return (
        Step("prune_second_order", {"share": share}),
        Step("codebooks_second_order", {"bits": bits, "spread": "even"}),
        Step("fine_tune", {"minutes": minutes, "epochs": 30}),
        Step("clean_up"),
    )


VALUES = "stages.4.weight=8,stages.8.weight={},head.1.weight={},head.5.weight=16"
"""Shared values of the large tensors of the picture sample."""


def sparing(share: float, levels: int, minutes: float) -> tuple[Step, ...]:
    """Return a recipe for the picture sample that takes from its largest table, which bears most, and little from convolutions."""
    return (
        Step("prune_second_order", {"shares": f"head.1.weight={share}"}),
        Step("codebooks_second_order", {"levels": VALUES.format(6, levels)}),
        Step("fine_tune", {"minutes": minutes, "epochs": 30}),
        Step("clean_up"),
    )


def layered(share: float, deep: float, minutes: float) -> tuple[Step, ...]:
    """Return a recipe for the picture sample that takes from a convolution too."""
    return (
        Step("prune_second_order", {"shares": f"stages.4.weight={deep},head.1.weight={share}"}),
        Step("codebooks_second_order", {"levels": VALUES.format(4, 4)}),
        Step("fine_tune", {"minutes": minutes, "epochs": 30}),
        Step("clean_up"),
    )


def recovered(share: float, deep: float, minutes: float) -> tuple[Step, ...]:
    """Return the recipe of ``layered`` that trains before values are shared too, and halves what is left in float32."""
    pruned, values, trained, cleaned = layered(share, deep, minutes)
    return pruned, trained, values, trained, Step("float16"), cleaned


def shared(bits: float, minutes: float) -> tuple[Step, ...]:
    """Return a recipe that shares values by what each tensor bears, and trains them."""
    return (
        Step("codebooks_second_order", {"bits": bits}),
        Step("fine_tune", {"minutes": minutes, "epochs": 30}),
        Step("clean_up"),
    )


def sample(name: str) -> Callable[[Data, Path], Path]:
    """Return what finds a sample's ONNX file."""
    return lambda known, folder: SAMPLES / name / "model.onnx"


def net(name: str) -> Callable[[Data, Path], Path]:
    """Return what trains one of ``nets``."""
    return lambda known, folder: nets.trained(name, known, folder)


HAN = "Deep Compression (Han 2016, table 1): {}x download size, top-1 error {} to {} %"
DIGITS = ("ort_dynamic", "ort_static", "ort_static_u8u8", "ort_float16", "nncf")
ALL = (
    *("ort_dynamic", "ort_dynamic_channels", "ort_static_defaults", "ort_static", "ort_static_reduced"),
    *("ort_static_u8u8", "ort_float16", "ort_four_bits", "nncf", "neural_compressor", "olive"),
)

WORKS = {
    "lenet_300_100": Work(
        "lenet_300_100",
        "LeNet-300-100, MNIST",
        net("lenet_300_100"),
        "flat_mnist",
        0.001,
        55_000,
        (
            Line(
                "pruned in training, 8 shared values",
                (Aim(TRAVELS, 40, "no loss of accuracy", 0.0), Aim(TRAVELS, 60, "error at most 0.1 point above")),
                (sparse(0.92, 3, 8, 40, 2), twice(0.92, 0.936, 3, 8, 40, 2)),
            ),
        ),
        DIGITS,
        HAN.format(40, "1.64", "1.58"),
    ),
    "lenet_5": Work(
        "lenet_5",
        "LeNet-5, MNIST",
        net("lenet_5"),
        "mnist",
        0.001,
        55_000,
        (
            Line(
                "pruned in training, 8 shared values",
                (Aim(TRAVELS, 39, "no loss of accuracy", 0.0), Aim(TRAVELS, 60, "error at most 0.1 point above")),
                (twice(0.85, 0.91, 3, 8, 12, 3), sparse(0.95, 3, 8, 12, 3)),
            ),
        ),
        DIGITS,
        HAN.format(39, "0.80", "0.74"),
    ),
    "fashion_cnn": Work(
        "fashion_cnn",
        "Fashion-MNIST CNN",
        sample("fashion_cnn"),
        "fashion",
        0.005,
        20_000,
        (
            Line(
                "pruned, 8 shared values, trained",
                (Aim(RUNS, 15, "and not slower"),),
                (
                    one_shot(0.7, 3, 5),
                    sparse(0.85, 3, 8, 12, 3),
                    (*one_shot(0.7, 3, 5), Step("fine_tune", {"minutes": 8, "epochs": 30})),
                    sparing(0.72, 5, 4),
                    sparing(0.81, 4, 4.5),
                    layered(0.8, 0.5, 5),
                    layered(0.85, 0.6, 6),
                ),
            ),
            Line(
                "pruned by layer, trained, 4 to 16 shared values, trained",
                (Aim(RUNS, 15, "and not slower"), Aim(TRAVELS, 20, "")),
                (recovered(0.85, 0.6, 6), recovered(0.9, 0.7, 6)),
            ),
            Line(
                "narrower, trained, int8",
                (Aim(SPEED, 2, "paired, interval above 1.8"),),
                tuple(
                    (Step("distill", {"share": share, "minutes": 6, "epochs": 12}), Step("static_int8"))
                    for share in (0.3, 0.4)
                ),
            ),
        ),
        ALL,
    ),
    "spam_transformer": Work(
        "spam_transformer",
        "Spam transformer",
        sample("spam_transformer"),
        "mail",
        0.005,
        10_000,
        (
            Line(
                "shared values, corrected, trained",
                (Aim(RUNS, 8, ""),),
                (shared(3.5, 2), one_shot(0.5, 4, 2), one_shot(0.7, 3, 3)),
            ),
            Line(
                "int8 arithmetic, weights of fewer bits",
                (Aim(RUNS, 6, "with the speed of int8 arithmetic"),),
                tuple((Step("static_int8", {"weight_bits": w, "table_bits": t}),) for w, t in ((5, 5), (5, 4), (4, 4))),
            ),
        ),
        ALL,
    ),
    "segment": Work(
        "segment",
        "Boosted trees, image segments",
        sample("segment"),
        "segment",
        0.0,
        4096,
        (
            Line(
                "trees pruned",
                (Aim(RUNS, 5, "0 changed predictions on test data"),),
                ((Step("clean_trees"),), (Step("prune_trees"),)),
            ),
        ),
        (),
        flips=False,
    ),
}
