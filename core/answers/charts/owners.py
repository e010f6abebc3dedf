"""Who owns the memory of a process that answers."""

from collections.abc import Sequence

import altair as alt

from core.answers.charts.bars import AFTER
from core.domain.owners import Owner


def shares(found: Sequence[Owner], ink: str) -> alt.LayerChart:
    """Draw a bar an owner, in the order in which a process comes to hold them."""
    values = [{"owner": one.name, "MB": one.megabytes, "told": f"{one.megabytes:,.1f} MB"} for one in found]
    room = 1.4 * max((one.megabytes for one in found), default=1.0)
    base = alt.Chart(alt.Data(values=values)).encode(
        y=alt.Y("owner:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=220)),
        x=alt.X("MB:Q", axis=None, scale=alt.Scale(domain=[0, room])),
        tooltip=["owner:N", alt.Tooltip("told:N", title="memory")],
    )
    bars = base.mark_bar(color=AFTER, cornerRadiusEnd=3, height=18)
    words = base.mark_text(align="left", dx=6, color=ink).encode(text="told:N")
    return alt.layer(bars, words).properties(height=28 * len(values))
