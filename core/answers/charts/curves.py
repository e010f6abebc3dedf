"""How a call grows with its samples, and what more threads win."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from core.answers.charts.bars import AFTER, AXIS, BEFORE
from core.domain.profile import Timing


def curve(points: Sequence[Timing], along: str, chosen: Timing | None, limit: float | None) -> alt.LayerChart:
    """Draw milliseconds of a call ``along`` batch or threads, the limit as a line and the chosen point filled."""
    values: list[dict[str, Any]] = [
        {
            along: getattr(one, along),
            "ms": one.latency,
            "samples a second": f"{one.rate:,.0f}",
            "chosen": one == chosen,
        }
        for one in points
    ]
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X(
            f"{along}:O",
            title="samples in a call" if along == "batch" else "threads",
            axis=alt.Axis(labelAngle=0, grid=False),
        ),
        y=alt.Y("ms:Q", title="ms a call", scale=alt.Scale(zero=True)),
        tooltip=[f"{along}:O", alt.Tooltip("ms:Q", format=".3g"), "samples a second:N"],
    )
    line = base.mark_line(color=AFTER)
    dots = base.mark_point(filled=True, opacity=1).encode(
        size=alt.condition("datum.chosen", alt.value(240), alt.value(60)),
        color=alt.condition("datum.chosen", alt.value("#0f766e"), alt.value(AFTER)),
    )
    layers: list[alt.Chart] = [line, dots]
    if limit is not None and limit <= 2 * max(one.latency for one in points):
        rule = alt.Chart(alt.Data(values=[{"ms": limit}])).mark_rule(color=BEFORE, strokeDash=[6, 4], strokeWidth=2)
        layers.append(rule.encode(y="ms:Q"))
    return alt.layer(*layers).properties(height=AXIS + 180)
