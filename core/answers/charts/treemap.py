"""Every operator as a rectangle whose area is its share of the time.

Squarified treemaps: Bruls, Huizing and van Wijk (2000, doi:10.1007/978-3-7091-6783-0_4).
"""

from collections.abc import Sequence
from typing import Any

import altair as alt

from core.answers.charts.operators import COLOURS
from core.domain.operators import Bound, Operators

WIDE, HIGH = 100.0, 50.0
Rectangle = tuple[float, float, float, float]
"""Left, top, right and bottom."""
NAMED = 0.04
"""The share from which a rectangle has room for a name."""
MOST = 60


def squarified(values: Sequence[float], left: float, top: float, right: float, bottom: float) -> list[Rectangle]:
    """Return a rectangle a value, largest value first, whose areas are as the values and fill the given one."""
    found: list[Rectangle] = []
    rest, area = list(values), (right - left) * (bottom - top)
    scale = area / sum(rest) if sum(rest) > 0 else 0.0
    while rest:
        across = bottom - top <= right - left
        side = (bottom - top) if across else (right - left)
        row = rest[:1]
        while len(row) < len(rest) and _worst(rest[: len(row) + 1], side, scale) <= _worst(row, side, scale):
            row = rest[: len(row) + 1]
        thick, at = sum(row) * scale / side if side else 0.0, top if across else left
        for value in row:
            length = value * scale / thick if thick else 0.0
            found.append((left, at, left + thick, at + length) if across else (at, top, at + length, top + thick))
            at += length
        left, top = (left + thick, top) if across else (left, top + thick)
        rest = rest[len(row) :]
    return found


def _worst(row: Sequence[float], side: float, scale: float) -> float:
    """Return how far the longest rectangle of a row is from a square."""
    total, least, most = sum(row) * scale, min(row) * scale, max(row) * scale
    if not least or not side:
        return float("inf")
    return max(side**2 * most / total**2, total**2 / (side**2 * least))


def treemap(found: Operators) -> alt.LayerChart:
    """Draw the slowest operators, the others as one for each thing that they wait for, coloured by what each waits for."""
    spending = [one for one in found.nodes if one.microseconds > 0]
    nodes, rest = spending[:MOST], spending[MOST:]
    rows = [(one.microseconds, one.kind, one.name, str(one.bound(found.roof))) for one in nodes]
    others = [(bound, [one.microseconds for one in rest if one.bound(found.roof) is bound]) for bound in Bound]
    rows += [(sum(own), f"{len(own):,} more", "", str(bound)) for bound, own in others if own]
    rows.sort(key=lambda row: -row[0])
    values: list[dict[str, Any]] = [
        {
            "left": box[0],
            "top": box[1],
            "right": box[2],
            "bottom": box[3],
            "operator": f"{kind} {name}".strip(),
            "name": kind[: int(1.4 * (box[2] - box[0]))] if spent / found.total >= NAMED else "",
            "share": spent / found.total,
            "bound by": bound,
        }
        for (spent, kind, name, bound), box in zip(
            rows, squarified([row[0] for row in rows], 0, 0, WIDE, HIGH), strict=True
        )
    ]
    bounds = [bound for bound in Bound if any(row["bound by"] == bound for row in values)]
    scales = {"x": alt.Scale(domain=[0, WIDE], nice=False), "y": alt.Scale(domain=[HIGH, 0], nice=False)}
    boxes = (
        alt.Chart(alt.Data(values=values))
        .mark_rect(stroke="#ffffff", strokeWidth=1.5)
        .encode(
            x=alt.X("left:Q", axis=None, scale=scales["x"]),
            x2="right:Q",
            y=alt.Y("top:Q", axis=None, scale=scales["y"]),
            y2="bottom:Q",
            color=alt.Color(
                "bound by:N",
                scale=alt.Scale(domain=list(map(str, bounds)), range=[COLOURS[bound] for bound in bounds]),
                legend=alt.Legend(title="bound by", orient="top"),
            ),
            tooltip=["operator:N", alt.Tooltip("share:Q", format=".1%"), "bound by:N"],
        )
    )
    words = (
        alt.Chart(
            alt.Data(values=[{**row, "x": row["left"] + 0.8, "y": row["top"] + 3} for row in values if row["name"]])
        )
        .mark_text(align="left", baseline="middle", color="#ffffff", fontSize=11)
        .encode(
            x=alt.X("x:Q", axis=None, scale=scales["x"]), y=alt.Y("y:Q", axis=None, scale=scales["y"]), text="name:N"
        )
    )
    return alt.layer(boxes, words).properties(height=300)
