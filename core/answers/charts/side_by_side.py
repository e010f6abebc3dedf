"""How fast each runtime answers beside the model's own, with the interval and whether its answers are the same."""

from typing import Any

import altair as alt

from core.answers.charts.bars import AXIS, BEFORE
from core.domain.report import Verdict
from core.domain.side_by_side import SideBySide, Way

COLOURS = {Verdict.PASS: "#15803d", Verdict.NOT_PROVEN: "#a16207", Verdict.FAIL: "#b91c1c"}
LEGEND = 48
"""Pixels that the legend above takes of a chart's height."""
WORDS = {Verdict.PASS: "same", Verdict.NOT_PROVEN: "not proven", Verdict.FAIL: "differ"}


def rows(found: SideBySide) -> list[dict[str, Any]]:
    """Return a row for the model in its own runtime, and one a way, as tables show them."""
    own = {
        "Runtime": found.runtime,
        "File": found.model.name,
        "Answers": "recorded from it",
        "Speed": "1x",
        "95 %": "",
        "ms a call": "" if found.cpu is None else f"{found.cpu:.3g}",
        "Peak memory": f"{found.memory.peak:.1f} MB",
        "Remark": "",
    }
    return [own, *(_row(one) for one in found.ways)]


def _row(way: Way) -> dict[str, Any]:
    race = way.race
    return {
        "Runtime": way.runtime,
        "File": way.name,
        "Answers": WORDS[way.parity.verdict] if way.parity else "",
        "Speed": f"{race.ratio:.2f}x, {race.pace}" if race else "",
        "95 %": f"{race.low:.2f} to {race.high:.2f}" if race else "",
        "ms a call": f"{race.variant.cpu_p50:.3g}" if race else "",
        "Peak memory": f"{way.memory.peak:.1f} MB" if way.memory else "",
        "Remark": way.trouble or (way.parity.reason if way.parity and not way.answers else ""),
    }


def side_by_side(found: SideBySide, ink: str) -> alt.LayerChart:
    """Draw the speed of each way with its interval on a log scale around that of the model's own runtime, coloured by its answers."""
    values: list[dict[str, Any]] = [
        {
            "way": f"{one.runtime} · {one.format}",
            "speed": one.race.ratio,
            "low": one.race.low,
            "high": one.race.high,
            "answers": WORDS[one.parity.verdict],
            "told": f"{one.race.ratio:.2f}x",
        }
        for one in found.ways
        if one.race and one.parity
    ]
    shown = [verdict for verdict in COLOURS if any(row["answers"] == WORDS[verdict] for row in values)]
    ends = [min(0.8, *(0.9 * row["low"] for row in values)), max(1.25, *(1.3 * row["high"] for row in values))]
    scale = alt.Scale(type="log", nice=False, domain=ends)
    axis = alt.Axis(format="~g", tickCount=5, grid=False)
    base = alt.Chart(alt.Data(values=values)).encode(
        y=alt.Y(
            "way:N", sort="-x", title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=260, labelOverlap=False)
        ),
        color=alt.Color(
            "answers:N",
            scale=alt.Scale(domain=[WORDS[one] for one in shown], range=[COLOURS[one] for one in shown]),
            legend=alt.Legend(title="answers", orient="top"),
        ),
        tooltip=[
            "way:N",
            "told:N",
            alt.Tooltip("low:Q", format=".3f"),
            alt.Tooltip("high:Q", format=".3f"),
            "answers:N",
        ],
    )
    x = alt.X("speed:Q", scale=scale, title=f"times as fast as {found.runtime} (log)", axis=axis)
    spans = base.mark_rule(strokeWidth=4, opacity=0.5).encode(x=alt.X("low:Q", scale=scale), x2="high:Q")
    dots = base.mark_point(filled=True, size=120, opacity=1).encode(x=x)
    words = base.mark_text(align="left", dx=10, dy=-10).encode(x=x, text="told:N", color=alt.value(ink))
    one = alt.Chart(alt.Data(values=[{"speed": 1}])).mark_rule(color=BEFORE, strokeDash=[6, 4]).encode(x=x)
    return alt.layer(one, spans, dots, words).properties(height=AXIS + LEGEND + 40 * len(values))
