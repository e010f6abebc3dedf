"""How long requests take at different rates, with the deadline across."""

from typing import Any

import altair as alt

from core.answers.charts.bars import AFTER, AXIS, BEFORE


def curve(rows: list[dict[str, Any]], deadline: float) -> alt.LayerChart:
    """Draw p50 and p99; rows are ``{rate, quantile, ms}``."""
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("rate:Q", title="requests a second", axis=alt.Axis(grid=False, tickCount=6)),
        y=alt.Y("ms:Q", title="ms until the answer", scale=alt.Scale(domain=[0, 2 * deadline], clamp=True)),
        color=alt.Color(
            "quantile:N",
            scale=alt.Scale(domain=["p50", "p99"], range=[BEFORE, AFTER]),
            legend=alt.Legend(orient="top", title=None),
        ),
        tooltip=["quantile:N", alt.Tooltip("rate:Q", format=",.1f"), alt.Tooltip("ms:Q", format=",.1f")],
    )
    rule = alt.Chart(alt.Data(values=[{"ms": deadline}])).mark_rule(strokeDash=[4, 4], color="#dc2626").encode(y="ms:Q")
    return alt.layer(base.mark_line(), base.mark_point(filled=True, size=40), rule).properties(height=AXIS + 200)
