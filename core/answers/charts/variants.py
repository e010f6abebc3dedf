"""All variants of one model beside each other, and those that no other beats."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from core.answers.charts.bars import BEFORE, megabytes
from core.domain.compression import CompressedStep, Compression
from core.domain.report import Count, Quality
from core.metrics import METRICS

FAMILIES = {
    "quantization": ("#0f766e", "square"),
    "pruning": ("#c2410c", "triangle-up"),
    "weight sharing": ("#be185d", "diamond"),
    "low rank": ("#a16207", "triangle-down"),
    "distillation": ("#7e22ce", "cross"),
    "clean-up": ("#64748b", "stroke"),
    "recipe": ("#2563eb", "circle"),
    "original": (BEFORE, "circle"),
}
"""The colour and shape of each family of techniques; dark enough on white and light enough on near-black."""

COLUMNS = {
    "size": "size",
    "smaller": "smaller",
    "held-out quality": "quality on held-out samples",
    "changed predictions": "changed predictions",
    "speed": "speed",
    "verdict": "verdict",
}
"""The figures of a variant's row that tables show, with their headings."""

LESS = {"RMSE", *(one.title for one in METRICS if not one.higher)}
"""Metrics of which less is better."""


def frontier(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the variants that no smaller one beats in quality, the smallest first; of an error less is better."""
    best: list[dict[str, Any]] = []

    def worth(one: dict[str, Any]) -> float:
        return -float(one["quality"]) if one["metric"] in LESS else float(one["quality"])

    for one in sorted(rows, key=lambda one: (one["bytes"], -worth(one))):
        if not best or worth(one) > worth(best[-1]):
            best.append(one)
    return best


def pareto(rows: list[dict[str, Any]], ink: str) -> alt.LayerChart:
    """Draw quality against size on a log scale; rows are ``{variant, family, bytes, size, quality, metric}``. Only the frontier has names."""
    best = frontier(rows)
    values = [{**one, "name": one["variant"] if one in best else ""} for one in rows]
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X(
            "bytes:Q",
            scale=alt.Scale(type="log", padding=30, nice=False),
            title="file size, bytes (log)",
            axis=alt.Axis(format="~s", tickCount=4),
        ),
        y=alt.Y(
            "quality:Q",
            scale=alt.Scale(zero=False, padding=20),
            title=rows[0]["metric"],
            axis=alt.Axis(format=".2%" if rows[0]["metric"] == "accuracy" else "~g", tickCount=5),
        ),
        tooltip=[alt.Tooltip(f"{key}:N") for key in ("variant", "family", "size", "held-out quality")],
    )
    present = [name for name in FAMILIES if any(one["family"] == name for one in rows)]
    colours, shapes = ([FAMILIES[name][place] for name in present] for place in (0, 1))
    legend = alt.Legend(title=None, orient="top", labelLimit=120)
    points = base.mark_point(filled=True, size=130, opacity=1).encode(
        color=alt.Color("family:N", scale=alt.Scale(domain=present, range=colours), legend=legend),
        shape=alt.Shape("family:N", scale=alt.Scale(domain=present, range=shapes), legend=legend),
    )
    names = base.mark_text(align="left", dx=9, dy=-9, color=ink, limit=200).encode(text="name:N")
    chosen = alt.selection_point(name="variant", fields=["job"])
    return alt.layer(points.add_params(chosen), names).properties(height=260)


def variant(result: Compression) -> dict[str, Any]:
    """Return one finished compression as the chart and a table need it."""
    steps, size, quality = result.steps, result.size, result.quality
    flips = changed(result)
    after = quality.after if quality else None
    return {
        "variant": ", ".join(words(step) for step in steps),
        "family": steps[-1].family if len(steps) == 1 else "recipe",
        "bytes": size.after,
        "size": megabytes(size.after),
        "smaller": f"{size.ratio:.2f}x",
        "quality": after.value if after else None,
        "metric": after.metric if after else "",
        "held-out quality": shown(after),
        "speed": f"{result.speed.ratio:.2f}x {result.speed.pace}",
        "changed predictions": f"{flips.k:,} of {flips.n:,}" if flips else "",
        "verdict": str(result.parity.verdict),
    }


def changed(result: Compression) -> Count | None:
    """Return the count of changed predictions on held-out data; None where it was not taken."""
    counts = (check.flips for check in result.parity.checks if check.name == "data")
    return next(counts, None)


def original(result: Compression) -> dict[str, Any]:
    """Return the uncompressed model as a row, measured as one of its variants was."""
    size, quality = result.size.before, result.quality
    before = quality.before if quality else None
    return {
        "variant": "original",
        "family": "original",
        "bytes": size,
        "size": megabytes(size),
        "smaller": "",
        "quality": before.value if before else None,
        "metric": before.metric if before else "",
        "held-out quality": shown(before),
        "speed": "",
        "changed predictions": "",
        "verdict": "",
    }


def variants(results: Sequence[Compression]) -> list[dict[str, Any]]:
    """Return all variants of one model and the model itself, which stands last."""
    measured = next((result for result in results if result.quality), results[0])
    return [*map(variant, results), original(measured)]


def shown(quality: Quality | None) -> str:
    """Write accuracy in per cent with k of n, and an error as it is."""
    if quality is None:
        return ""
    correct = quality.correct
    return f"{quality.value:.2%} ({correct.k:,} of {correct.n:,})" if correct else f"{quality.value:.4g}"


def words(one: CompressedStep) -> str:
    """Name a step with the options that were changed."""
    options = ", ".join(f"{name} {value}" for name, value in one.step.options.items())
    return f"{one.title} ({options})" if options else one.title
