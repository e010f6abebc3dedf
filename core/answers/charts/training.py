"""What a step of training takes, by owner."""

import altair as alt

from core.answers.charts.bars import AXIS

COLOURS = ["#2563eb", "#0891b2", "#7c3aed", "#ea580c", "#94a3b8"]


def stacked(parts: dict[str, int], ink: str) -> alt.Chart:
    """Draw one bar of bytes by owner, in the order given."""
    rows = [{"owner": name, "MB": size / 1e6, "place": n} for n, (name, size) in enumerate(parts.items())]
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(height=34)
        .encode(
            x=alt.X("MB:Q", stack="zero", title="MB", axis=alt.Axis(grid=False, tickCount=6)),
            color=alt.Color(
                "owner:N",
                sort=list(parts),
                scale=alt.Scale(domain=list(parts), range=COLOURS),
                legend=alt.Legend(orient="bottom", title=None, labelColor=ink, columns=3, labelLimit=200),
            ),
            order="place:Q",
            tooltip=["owner:N", alt.Tooltip("MB:Q", format=",.1f")],
        )
        .properties(height=AXIS + 110)
    )
