"""What became of each class of a labelled data set."""

from typing import Any

import altair as alt

from core.answers.charts.bars import AXIS
from core.domain.report import Quality

COLOURS = {"worse": "#dc2626", "same": "#64748b", "better": "#15803d"}
SHOWN = 24
"""Classes in one chart, from the one that lost most."""


def class_rows(before: Quality, after: Quality) -> list[dict[str, Any]]:
    """Return ``{name, change, course, after, label}`` a class, the one that lost most first; shares are of its own samples."""
    rows = []
    for name, count in after.classes.items():
        was = before.classes[name]
        change = (count.k - was.k) / count.n
        label = f"{was.k:,} to {count.k:,} of {count.n:,}"
        course = "worse" if change < 0 else "better" if change > 0 else "same"
        rows.append({"name": name, "change": change, "course": course, "after": count.k / count.n, "label": label})
    return sorted(rows, key=lambda row: (row["change"], row["after"]))


def class_changes(rows: list[dict[str, Any]], ink: str) -> alt.LayerChart:
    """Draw the points of accuracy that each class lost or won."""
    shown = rows[:SHOWN]
    room = 1.6 * max((abs(row["change"]) for row in shown), default=0.0) or 0.01
    base = alt.Chart(alt.Data(values=shown)).encode(
        y=alt.Y("name:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, labelOverlap=False)),
        x=alt.X(
            "change:Q",
            title="change in the share of right answers",
            scale=alt.Scale(domain=[-room, room]),
            axis=alt.Axis(format="+.1%", tickCount=5),
        ),
        tooltip=[alt.Tooltip("name:N", title="class"), alt.Tooltip("label:N", title="right")],
    )
    bars = base.mark_bar(height=12, cornerRadius=2).encode(
        color=alt.Color("course:N", scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())), legend=None)
    )
    words = (
        base.mark_text(align="left", dx=6, color=ink)
        .encode(x=alt.X("place:Q"), text="label:N")
        .transform_calculate(place="max(datum.change, 0)")
    )
    return alt.layer(bars, words).properties(height=AXIS + 22 * len(shown))
