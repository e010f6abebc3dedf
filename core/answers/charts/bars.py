"""Bars for sizes, qualities and counts, and sizes in words."""

from typing import Any

import altair as alt

BEFORE, AFTER = "#94a3b8", "#2563eb"
AXIS = 56
"""Pixels that the axis at the bottom takes of a chart's height."""


def before_after(rows: list[dict[str, Any]], ink: str) -> alt.LayerChart:
    """Draw one pair of bars; rows are ``{file, value, label}`` with file before or after."""
    room = 1.25 * max((row["value"] for row in rows), default=1.0)
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("file:N", sort=["before", "after"], title=None, axis=alt.Axis(ticks=False, domain=False)),
        x=alt.X("value:Q", scale=alt.Scale(domain=[0, room]), axis=None),
        tooltip=[alt.Tooltip("file:N"), alt.Tooltip("label:N", title="size")],
    )
    bars = base.mark_bar(cornerRadiusEnd=3, height=22).encode(
        color=alt.Color("file:N", scale=alt.Scale(domain=["before", "after"], range=[BEFORE, AFTER]), legend=None)
    )
    words = base.mark_text(align="left", dx=6, color=ink).encode(text="label:N")
    return alt.layer(bars, words).properties(height=34 * len(rows))


def size_rows(before: int, after: int) -> list[dict[str, Any]]:
    """Return the rows of a chart of two sizes in bytes."""
    return [
        {"file": file, "value": size, "label": megabytes(size)} for file, size in (("before", before), ("after", after))
    ]


def megabytes(size: float) -> str:
    """Return a size in bytes as people read it, in decimal units."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.3g} {unit}"
    return f"{size:.0f} B"


def operators(found: dict[str, int], ink: str) -> alt.LayerChart:
    """Draw how often the 25 most frequent operators stand in a graph."""
    top = sorted(found.items(), key=lambda item: -item[1])[:25]
    base = alt.Chart(alt.Data(values=[{"operator": name, "n": n} for name, n in top])).encode(
        y=alt.Y(
            "operator:N",
            sort=None,
            title=None,
            axis=alt.Axis(ticks=False, domain=False, labelLimit=260, labelOverlap=False),
        ),
        x=alt.X("n:Q", title="nodes", axis=alt.Axis(grid=False, tickMinStep=1)),
        tooltip=["operator:N", "n:Q"],
    )
    bars = base.mark_bar(color=AFTER, cornerRadiusEnd=3, height=16)
    return alt.layer(bars, base.mark_text(align="left", dx=6, color=ink).encode(text="n:Q")).properties(
        height=AXIS + 24 * len(top)
    )
