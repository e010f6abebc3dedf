"""The differences between the answers of two files."""

from collections.abc import Sequence

import altair as alt

from core.answers.charts.bars import AFTER, AXIS
from core.domain.report import Check


def differences(checks: Sequence[Check], tolerance: float | None, ink: str) -> alt.LayerChart:
    """Draw each check's absolute differences on a log scale, a line from the median to the largest, against the declared tolerance where one applies."""
    floor = 1e-10
    rows = [
        {
            "check": c.name,
            "value": max(c.max_abs, floor),
            "median": max((c.percentiles or (c.max_abs,))[0], floor),
            "label": f"{float(c.max_abs):.1e}" if c.max_abs else "0",
            "shares": " / ".join(f"{share:.1e}" for share in c.percentiles),
        }
        for c in checks
        if c.max_abs == c.max_abs
    ]
    scale = alt.Scale(
        type="log",
        domain=[
            floor,
            max(
                1.0,
                *([tolerance * 10] if tolerance else []),
                *(c.max_abs * 100 for c in checks if c.max_abs == c.max_abs),
            ),
        ],
        clamp=True,
    )
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("check:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False)),
        x=alt.X(
            "value:Q", scale=scale, title="largest absolute difference (log)", axis=alt.Axis(format="~e", tickCount=5)
        ),
        tooltip=[
            alt.Tooltip("check:N"),
            alt.Tooltip("label:N", title="largest difference"),
            alt.Tooltip("shares:N", title="50 / 90 / 99 % below"),
        ],
    )
    spread = base.mark_rule(strokeWidth=4, opacity=0.35, color=AFTER).encode(x2="median:Q")
    points = base.mark_point(filled=True, size=90, color=AFTER)
    words = base.mark_text(align="left", dx=9, color=ink).encode(text="label:N")
    limit = alt.Chart(alt.Data(values=[{"x": tolerance}] if tolerance else [])).mark_rule(
        strokeDash=[4, 3], color="#dc2626", strokeWidth=2
    )
    return alt.layer(limit.encode(x=alt.X("x:Q", scale=scale)), spread, points, words).properties(
        height=AXIS + 34 * len(rows)
    )
