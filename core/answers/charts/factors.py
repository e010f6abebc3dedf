"""How the time of a call grows with the data, and what it comes to for more and less complex models."""

from typing import Any

import altair as alt

from core.answers.charts.bars import AFTER, AXIS
from core.domain.factors import Growth, Variant


def growth(found: Growth) -> alt.LayerChart:
    """Draw processor time against size on log scales, where a power is a straight line."""
    values = [{"size": one.size, "ms": one.cpu} for one in found.points]
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X(
            "size:Q",
            title=f"{found.axis} (log)",
            scale=alt.Scale(type="log", base=2, nice=False),
            axis=alt.Axis(values=[one.size for one in found.points], format="d", grid=False, labelOverlap=True),
        ),
        y=alt.Y(
            "ms:Q",
            title="ms a call (log)",
            scale=alt.Scale(type="log", padding=8),
            axis=alt.Axis(format="~g", tickCount=4),
        ),
        tooltip=[alt.Tooltip("size:Q"), alt.Tooltip("ms:Q", format=".3g")],
    )
    layers = base.mark_line(color=AFTER), base.mark_point(color=AFTER, filled=True, opacity=1, size=60)
    return alt.layer(*layers).properties(height=AXIS + 180)


def measures(variants: tuple[Variant, ...]) -> str:
    """Return by what the complexity of these models is told: MACs where they differ, else parameters, else bytes."""
    macs = {one.macs for one in variants}
    if None not in macs and len(macs) > 1:
        return "MACs"
    parameters = {one.parameters for one in variants}
    return "parameters" if None not in parameters and len(parameters) > 1 else "bytes"


def complexity(variants: tuple[Variant, ...], ink: str) -> alt.LayerChart:
    """Draw processor time against complexity, a named point a model."""
    by = measures(variants)
    values: list[dict[str, Any]] = [
        {"model": one.model.name, by: _of(one, by), "ms": one.cpu, "own": place == 0}
        for place, one in enumerate(variants)
        if one.cpu is not None
    ]
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X(f"{by}:Q", title=by, scale=alt.Scale(zero=True), axis=alt.Axis(format="~s", grid=False, tickCount=5)),
        y=alt.Y("ms:Q", title="ms a call", scale=alt.Scale(zero=True)),
        tooltip=["model:N", alt.Tooltip(f"{by}:Q", format=","), alt.Tooltip("ms:Q", format=".3g")],
    )
    dots = base.mark_point(filled=True, opacity=1, size=110).encode(
        color=alt.condition("datum.own", alt.value("#0f766e"), alt.value(AFTER))
    )
    words = base.mark_text(align="right", dx=-8, color=ink, limit=160).encode(text="model:N")
    return alt.layer(dots, words).properties(height=AXIS + 200)


def _of(one: Variant, by: str) -> int | None:
    return {"MACs": one.macs, "parameters": one.parameters, "bytes": one.model.size}[by]
