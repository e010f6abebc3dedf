"""What goes on behind an alias, a second at a time: requests, latency, and the share of answers that differ."""

from collections import defaultdict
from collections.abc import Sequence

import altair as alt

from core.domain.canary import Moment

SECONDS = 120
COLOURS = alt.Scale(domain=["champion", "challenger"], range=["#2563eb", "#ea7317"])
HEIGHT = 110


def live(moments: Sequence[Moment], now: float, ink: str) -> alt.VConcatChart:
    """Draw the last two minutes: answers a second, their median latency, and different requests answered differently so far, in per cent."""
    rows = list(seconds([one for one in moments if one.at > now - SECONDS], now))
    base = alt.Chart(alt.Data(values=rows))
    since = -max(30, *(-int(str(row["ago"])) for row in rows), 0)
    along = alt.X(
        "ago:Q",
        title=None,
        scale=alt.Scale(domain=[since, 0]),
        axis=alt.Axis(labelExpr="datum.value + ' s'", tickCount=4),
    )
    who = alt.Color("who:N", scale=COLOURS, title=None, legend=alt.Legend(orient="top"))
    lines = [
        base.transform_filter(f"isValid(datum.{field})")
        .mark_line(interpolate="step-after", point={"size": 12})
        .encode(
            x=along,
            y=alt.Y(f"{field}:Q", title=title, scale=alt.Scale(domainMin=0), axis=alt.Axis(tickCount=3, format="~r")),
            color=who,
        )
        .properties(height=HEIGHT, width="container")
        for field, title in (("answers", "requests/s"), ("ms", "median, ms"), ("differ", "differ, %"))
        if any(field in row for row in rows)
    ]
    return alt.vconcat(*lines, autosize=alt.AutoSizeParams(type="fit-x", contains="padding")).configure_axis(
        labelColor=ink, titleColor=ink
    )


def seconds(moments: Sequence[Moment], now: float) -> Sequence[dict[str, object]]:
    """Return one row a second and server."""
    times: dict[tuple[int, str], list[float]] = defaultdict(list)
    found: list[dict[str, object]] = []
    compared = differ = 0
    for one in moments:
        ago = int(one.at - now)
        if one.differ is None:
            times[ago, "challenger" if one.challenger else "champion"].append(one.ms)
        else:
            compared, differ = compared + 1, differ + one.differ
            found.append({"ago": ago, "who": "challenger", "differ": 100 * differ / compared})
    for (ago, who), spans in times.items():
        found.append({"ago": ago, "who": who, "answers": len(spans), "ms": sorted(spans)[len(spans) // 2]})
    return found
