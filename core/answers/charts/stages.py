"""Where the time of a sample goes from raw data to the answer."""

from typing import Any

import altair as alt

from core.domain.stages import Part, Stages

COLOURS = {Part.BEFORE: "#c2410c", Part.FEATURES: "#a16207", Part.MODEL: "#2563eb", Part.AFTER: "#64748b"}
LEGEND = 44


def stages(found: Stages, ink: str) -> alt.LayerChart:
    """Draw a bar a stage, in order, coloured by what it belongs to."""
    values: list[dict[str, Any]] = [
        {
            "stage": f"{place}. {one.name}",
            "ms": one.milliseconds,
            "part": str(one.part),
            "told": f"{one.milliseconds / found.total if found.total else 0:.1%} · {one.milliseconds:.3g} ms",
        }
        for place, one in enumerate(found.times, 1)
    ]
    parts = list(found.shares)
    room = 1.5 * max((row["ms"] for row in values), default=1.0)
    base = alt.Chart(alt.Data(values=values)).encode(
        y=alt.Y(
            "stage:N",
            sort=None,
            title=None,
            axis=alt.Axis(ticks=False, domain=False, labelLimit=260, labelOverlap=False),
        ),
        x=alt.X("ms:Q", axis=None, scale=alt.Scale(domain=[0, room])),
        tooltip=["stage:N", "part:N", alt.Tooltip("told:N", title="time")],
    )
    bars = base.mark_bar(cornerRadiusEnd=3, height=16).encode(
        color=alt.Color(
            "part:N",
            scale=alt.Scale(domain=list(map(str, parts)), range=[COLOURS[part] for part in parts]),
            legend=alt.Legend(title=None, orient="top"),
        )
    )
    words = base.mark_text(align="left", dx=6, color=ink).encode(text="told:N")
    return alt.layer(bars, words).properties(height=LEGEND + 28 * len(values))
