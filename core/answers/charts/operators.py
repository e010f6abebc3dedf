"""Where the time goes by kind of operator, and how near each operator comes to what the machine can do."""

from typing import Any

import altair as alt

from core.answers.charts.bars import AFTER, AXIS, BEFORE
from core.domain.operators import Bound, EngineTrace, Operators

COLOURS = {Bound.PRODUCTS: "#2563eb", Bound.MEMORY: "#c2410c", Bound.OVERHEAD: "#64748b"}
SHAPES = {Bound.PRODUCTS: "circle", Bound.MEMORY: "square", Bound.OVERHEAD: "triangle-up"}
KINDS = 12
LEAST = 0.05
"""Operations a byte at which those with fewer, or with none at all, are left out of the roofline."""


def rows(found: Operators) -> list[dict[str, Any]]:
    """Return a row a node, as tables show them."""
    return [
        {
            "operator": one.kind,
            "node": one.name,
            "share": one.microseconds / found.total if found.total else 0.0,
            "microseconds": one.microseconds,
            "runs": one.runs,
            "MACs": one.macs,
            "GFLOP/s": one.gflops if one.macs else None,
            "FLOP/byte": one.intensity if one.macs else None,
            "of the roof": one.reached(found.roof),
            "bound by": str(one.bound(found.roof)),
        }
        for one in found.nodes
    ]


def shares(found: Operators | EngineTrace, ink: str) -> alt.LayerChart:
    """Draw the share of the time of each kind, the slowest first."""
    values: list[dict[str, Any]] = [
        {"kind": kind.kind, "share": kind.microseconds / found.total, "told": _told(kind.microseconds, found.total)}
        for kind in found.kinds[:KINDS]
    ]
    room = 1.7 * max((row["share"] for row in values), default=1.0)
    base = alt.Chart(alt.Data(values=values)).encode(
        y=alt.Y("kind:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=200)),
        x=alt.X("share:Q", axis=None, scale=alt.Scale(domain=[0, room])),
        tooltip=["kind:N", alt.Tooltip("told:N", title="time")],
    )
    bars = base.mark_bar(color=AFTER, cornerRadiusEnd=3, height=16)
    words = base.mark_text(align="left", dx=6, color=ink).encode(text="told:N")
    return alt.layer(bars, words).properties(height=24 * len(values))


def roofline(found: Operators, ink: str) -> alt.LayerChart:
    """Draw operations a second against operations a byte on log scales, under the measured roof."""
    points = [
        {**row, "name": f"{row['operator']} {row['node']}"}
        for row in rows(found)
        if row["MACs"] and row["FLOP/byte"] >= LEAST
    ]
    roof = found.roof
    ends = [LEAST, roof.ridge, max(10 * roof.ridge, *(2 * row["FLOP/byte"] for row in points))]
    line = [{"FLOP/byte": at, "GFLOP/s": min(roof.gflops, at * roof.gbytes)} for at in ends]
    x = alt.X(
        "FLOP/byte:Q",
        scale=alt.Scale(type="log", nice=False, domain=[LEAST, ends[-1]]),
        title="operations a byte (log)",
        axis=alt.Axis(format="~g", tickCount=5, grid=False),
    )
    y = alt.Y(
        "GFLOP/s:Q",
        scale=alt.Scale(type="log", nice=False, padding=12),
        title="10^9 operations a second (log)",
        axis=alt.Axis(format="~g", tickCount=5, grid=False),
    )
    bounds = [bound for bound in Bound if any(row["bound by"] == bound for row in points)]
    seen = (
        alt.Chart(alt.Data(values=points))
        .mark_point(filled=True, opacity=0.85)
        .encode(
            x=x,
            y=y,
            size=alt.Size("share:Q", legend=None, scale=alt.Scale(range=[40, 600])),
            color=alt.Color(
                "bound by:N",
                scale=alt.Scale(domain=list(map(str, bounds)), range=[COLOURS[bound] for bound in bounds]),
                legend=alt.Legend(title="bound by", orient="top"),
            ),
            shape=alt.Shape(
                "bound by:N",
                scale=alt.Scale(domain=list(map(str, bounds)), range=[SHAPES[bound] for bound in bounds]),
                legend=alt.Legend(title="bound by", orient="top"),
            ),
            tooltip=[
                alt.Tooltip("name:N"),
                alt.Tooltip("share:Q", format=".1%"),
                alt.Tooltip("GFLOP/s:Q", format=".3g"),
                alt.Tooltip("of the roof:Q", format=".0%"),
            ],
        )
    )
    top = alt.Chart(alt.Data(values=line)).mark_line(color=BEFORE, strokeWidth=2).encode(x=x, y=y)
    return alt.layer(top, seen).properties(height=AXIS + 220)


def _told(spent: float, total: float) -> str:
    return f"{spent / total:.0%} · {spent:,.0f} µs"
