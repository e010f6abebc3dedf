"""What a technique did to the weights, tensor by tensor."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from core.answers.charts.bars import AFTER, AXIS, BEFORE, megabytes
from core.domain.weight_change import Histogram, WeightChange


def layer_rows(weights: Sequence[WeightChange]) -> list[dict[str, Any]]:
    """Return two rows ``{layer, file, bytes, label}`` a tensor whose size is known on both sides, the largest first."""
    known = [(one.name, one.bytes_before, one.bytes_after) for one in weights if one.bytes_after is not None]
    return [
        {"layer": name, "file": file, "bytes": bytes, "label": megabytes(bytes or 0)}
        for name, before, after in known
        for file, bytes in (("before", before), ("after", after))
    ]


def layer_sizes(rows: list[dict[str, Any]], ink: str) -> alt.LayerChart:
    """Draw the bytes that the file stores for each tensor, before and after."""
    room = 1.15 * max(row["bytes"] for row in rows)
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y(
            "layer:N",
            sort=None,
            title=None,
            axis=alt.Axis(ticks=False, domain=False, labelLimit=180, labelOverlap=False),
        ),
        yOffset=alt.YOffset("file:N", sort=["before", "after"]),
        x=alt.X(
            "bytes:Q",
            title="bytes in the file",
            scale=alt.Scale(domainMax=room),
            axis=alt.Axis(format="~s", tickCount=5),
        ),
        tooltip=[alt.Tooltip(f"{key}:N") for key in ("layer", "file", "label")],
    )
    bars = base.mark_bar(cornerRadiusEnd=2).encode(
        color=alt.Color("file:N", scale=alt.Scale(domain=["before", "after"], range=[BEFORE, AFTER]), legend=None)
    )
    words = base.mark_text(align="left", dx=5, color=ink, fontSize=10).encode(text="label:N")
    return alt.layer(bars, words).properties(height=AXIS + 17 * len(rows))


def histogram(bins: Histogram) -> alt.LayerChart:
    """Draw how the weights of one tensor lie, before as a grey area and after as a blue outline; counts are on a root scale."""
    width = (bins.high - bins.low) / len(bins.before)
    rows = [
        {"weight": bins.low + place * width, "before": before, "after": after}
        for place, (before, after) in enumerate(zip(bins.before, bins.after, strict=True))
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("weight:Q", title="weight", axis=alt.Axis(format="~g", tickCount=6)),
        tooltip=[alt.Tooltip(f"{key}:Q") for key in ("weight", "before", "after")],
    )

    def count(side: str) -> alt.Y:
        return alt.Y(
            f"{side}:Q", scale=alt.Scale(type="sqrt"), title="weights (root scale)", axis=alt.Axis(tickCount=4)
        )

    area = base.mark_area(interpolate="step-after", color=BEFORE, opacity=0.75).encode(y=count("before"))
    line = base.mark_line(interpolate="step-after", color=AFTER, strokeWidth=2).encode(y=count("after"))
    return alt.layer(area, line).properties(height=200)
