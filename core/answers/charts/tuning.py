"""A search for the best trade-off: what was tried, and what each layer bears."""

from math import log10
from typing import Any

import altair as alt

from core.answers.charts.bars import megabytes
from core.answers.charts.variants import FAMILIES
from core.domain.search import Tuning
from core.domain.tuning import HeatMap

AXES = {
    "size": ("size", "file size, bytes (log)", "log"),
    "travel": ("travel", "download size, bytes (log)", "log"),
    "latency": ("time", "processor time, share of the original", "linear"),
    "memory": ("memory", "memory, MB", "linear"),
}
TITLES = 170
"""Pixels for the names of the changes above the map."""

BEARS, BREAKS = "#dbeafe", "#b91c1c"
DARK = 0.025
"""Errors above it stand on a dark ground."""

LEAST = 1e-6
"""Errors below it are drawn as this one, a share of the variance of the answers."""


def tried_rows(result: Tuning) -> list[dict[str, Any]]:
    """Return a row a candidate that was measured at what the search minimises, named where it stands on the frontier."""
    key = AXES[result.minimise][0]
    best = set(result.frontier)
    rows = []
    for point in result.points:
        if getattr(point, key) is None or point.changed is None:
            continue
        changed = point.changed
        kept = point.quality if point.quality is not None else 1 - changed.k / changed.n
        rows.append(
            {
                "number": point.number,
                "candidate": point.title,
                "family": point.family,
                "x": getattr(point, key),
                "y": kept,
                "within": "within the allowed drop" if point.within else "above the allowed drop",
                "size": megabytes(point.size or 0),
                "changed": f"{changed.k:,} of {changed.n:,}",
                "name": point.title if point.number in best else "",
            }
        )
    return rows


def search(result: Tuning, ink: str) -> alt.LayerChart | None:
    """Draw every candidate that was measured, hollow where it lost too much; None before the first."""
    rows = tried_rows(result)
    if not rows:
        return None
    _, title, scale = AXES[result.minimise]
    metric = next((point.metric for point in result.points if point.metric), "") or "predictions kept"
    share = metric in ("accuracy", "predictions kept")
    present = [name for name in FAMILIES if any(row["family"] == name for row in rows)]
    colours, shapes = ([FAMILIES[name][place] for name in present] for place in (0, 1))
    legend = alt.Legend(title=None, orient="top", labelLimit=120)
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "x:Q",
            scale=alt.Scale(type=scale, zero=False, padding=30),
            title=title,
            axis=alt.Axis(format="~s", tickCount=4),
        ),
        y=alt.Y(
            "y:Q",
            scale=alt.Scale(zero=False, padding=20),
            title=f"{metric}, selection samples",
            axis=alt.Axis(format=".1%" if share else "~g", tickCount=5),
        ),
        tooltip=[alt.Tooltip(f"{key}:N") for key in ("candidate", "family", "within", "size", "changed")],
    )
    points = base.mark_point(size=110, strokeWidth=2).encode(
        color=alt.Color("family:N", scale=alt.Scale(domain=present, range=colours), legend=legend),
        shape=alt.Shape("family:N", scale=alt.Scale(domain=present, range=shapes), legend=legend),
        fillOpacity=alt.condition("datum.within == 'within the allowed drop'", alt.value(1), alt.value(0)),
        fill=alt.Fill("family:N", scale=alt.Scale(domain=present, range=colours), legend=None),
    )
    names = base.mark_text(align="left", dx=9, dy=-9, color=ink, limit=220).encode(text="name:N")
    return alt.layer(points, names).properties(height=280)


def heat(found: HeatMap, ink: str) -> alt.LayerChart:
    """Draw how much the answers suffer from each change of each tensor alone; a click on a row picks that tensor."""
    titles = found.changes
    rows = [
        {
            "layer": row.name,
            "change": titles.get(cell.change, cell.change),
            "log": log10(max(cell.error, LEAST)),
            "error": f"{cell.error:.2%}" if cell.error >= 0.00005 else "<0.01%",
            "bytes": megabytes(cell.bytes),
            "parameters": f"{row.parameters:,}",
            "changed": "" if cell.changed is None else f"{cell.changed.k:,} of {cell.changed.n:,}",
            "kept": row.kept,
            "ink": ink if row.kept else "#ffffff" if cell.error > DARK else "#111111",
        }
        for row in found.rows
        for cell in row.cells
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X(
            "change:N",
            sort=list(titles.values()),
            title=None,
            axis=alt.Axis(orient="top", labelAngle=-60, labelLimit=170, labelOverlap=False),
        ),
        y=alt.Y("layer:N", sort=None, title=None, axis=alt.Axis(labelLimit=200, labelOverlap=False)),
        tooltip=[alt.Tooltip(f"{key}:N") for key in ("layer", "change", "error", "changed", "bytes", "parameters")],
    )
    picked = alt.selection_point(name="picked", fields=["layer"])
    cells = base.mark_rect(stroke="#88888855").encode(
        color=alt.Color("log:Q", scale=alt.Scale(domain=[-5, 0], range=[BEARS, BREAKS], clamp=True), legend=None),
        opacity=alt.condition("datum.kept", alt.value(0.25), alt.value(1)),
    )
    words = base.mark_text(fontSize=10).encode(
        text="error:N",
        color=alt.Color("ink:N", scale=None),
    )
    touched = base.mark_rect(opacity=0.001).add_params(picked)
    layers = alt.layer(cells, words, touched).resolve_scale(color="independent")
    return layers.properties(height=TITLES + 24 * len(found.rows))
