"""Stored facts made ready for eyes: Altair charts, the same on a page and in a report."""

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


def size_rows(size: dict[str, Any], before: str, after: str) -> list[dict[str, Any]]:
    """Return the rows of a size chart; ``before`` and ``after`` name the keys in the size report, in bytes."""
    return [
        {"file": "before", "value": size[before], "label": megabytes(size[before])},
        {"file": "after", "value": size[after], "label": megabytes(size[after])},
    ]


def differences(checks: list[dict[str, Any]], tolerance: float, ink: str) -> alt.LayerChart:
    """Draw each check's absolute differences on a log scale, a line from the median to the largest, against the declared tolerance."""
    floor = 1e-10
    rows = [
        {
            "check": c["name"],
            "value": max(float(c["max_abs"]), floor),
            "median": max((c.get("percentiles") or [float(c["max_abs"])])[0], floor),
            "label": f"{float(c['max_abs']):.1e}" if c["max_abs"] else "0",
            "shares": " / ".join(f"{share:.1e}" for share in c.get("percentiles", ())),
        }
        for c in checks
        if float(c["max_abs"]) == float(c["max_abs"])
    ]
    scale = alt.Scale(
        type="log", domain=[floor, max(1.0, tolerance * 10, *(row["value"] * 100 for row in rows))], clamp=True
    )
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("check:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False)),
        x=alt.X(
            "value:Q", scale=scale, title="largest absolute difference (log)", axis=alt.Axis(format="~e", tickCount=5)
        ),
        tooltip=[
            alt.Tooltip("check:N"),
            alt.Tooltip("label:N", title="largest difference"),
            alt.Tooltip("shares:N", title="50 / 90 / 99 % below"),
        ],
    )
    spread = base.mark_rule(strokeWidth=4, opacity=0.35, color=AFTER).encode(x2="median:Q")
    points = base.mark_point(filled=True, size=90, color=AFTER)
    words = base.mark_text(align="left", dx=9, color=ink).encode(text="label:N")
    limit = alt.Chart(alt.Data(values=[{"x": tolerance}])).mark_rule(strokeDash=[4, 3], color="#dc2626", strokeWidth=2)
    return alt.layer(limit.encode(x=alt.X("x:Q", scale=scale)), spread, points, words).properties(
        height=AXIS + 34 * len(rows)
    )


FAMILIES = {
    "quantization": ("#0f766e", "square"),
    "pruning": ("#c2410c", "triangle-up"),
    "weight sharing": ("#be185d", "diamond"),
    "low rank": ("#a16207", "triangle-down"),
    "distillation": ("#7e22ce", "cross"),
    "clean-up": ("#64748b", "stroke"),
    "recipe": ("#2563eb", "circle"),
    "original": (BEFORE, "circle"),
}
"""The colour and shape of each family of techniques; dark enough on white and light enough on near-black."""


def frontier(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the variants that no smaller one beats in quality, the smallest first; of an error less is better."""
    best: list[dict[str, Any]] = []

    def worth(one: dict[str, Any]) -> float:
        return -float(one["quality"]) if one["metric"] == "RMSE" else float(one["quality"])

    for one in sorted(rows, key=lambda one: (one["bytes"], -worth(one))):
        if not best or worth(one) > worth(best[-1]):
            best.append(one)
    return best


def pareto(rows: list[dict[str, Any]], ink: str) -> alt.LayerChart:
    """Draw quality against size on a log scale; rows are ``{variant, family, bytes, size, quality, metric}``. Only the frontier has names."""
    best = frontier(rows)
    values = [{**one, "name": one["variant"] if one in best else ""} for one in rows]
    base = alt.Chart(alt.Data(values=values)).encode(
        x=alt.X(
            "bytes:Q",
            scale=alt.Scale(type="log", padding=30),
            title="size as it runs, bytes (log)",
            axis=alt.Axis(format="~s", tickCount=4),
        ),
        y=alt.Y(
            "quality:Q",
            scale=alt.Scale(zero=False, padding=20),
            title=rows[0]["metric"],
            axis=alt.Axis(format="~g", tickCount=5),
        ),
        tooltip=[alt.Tooltip(f"{key}:N") for key in ("variant", "family", "size", "quality shown")],
    )
    points = base.mark_point(filled=True, size=130, opacity=1).encode(
        color=alt.Color(
            "family:N", scale=alt.Scale(domain=list(FAMILIES), range=[c for c, _ in FAMILIES.values()]), legend=None
        ),
        shape=alt.Shape(
            "family:N", scale=alt.Scale(domain=list(FAMILIES), range=[s for _, s in FAMILIES.values()]), legend=None
        ),
    )
    names = base.mark_text(align="left", dx=9, dy=-9, color=ink, limit=200).encode(text="name:N")
    return alt.layer(points, names).properties(height=260)


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
