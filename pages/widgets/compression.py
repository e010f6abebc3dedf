"""What a compression won and lost: verdict, figures, charts, and all variants of one model beside each other."""

from typing import Any

import streamlit as st

from core.bundle import usage
from core.charts import before_after, megabytes, pareto
from core.domain.job import Job, State
from core.domain.report import Verdict
from core.techniques import TECHNIQUES
from pages.widgets import evidence
from pages.widgets.text import plain

HEADINGS = {
    Verdict.PASS: "PASS. It keeps its quality within what you allowed.",
    Verdict.NOT_PROVEN: "NOT PROVEN. It runs, and nothing here says what it lost.",
    Verdict.FAIL: "FAIL. It lost more than you allowed, so it cannot be downloaded.",
}
COLUMNS = {
    "variant": "variant",
    "family": "family",
    "size": "size",
    "smaller": "smaller",
    "quality shown": "quality, held out",
    "flips": "flips",
    "speed": "speed",
    "verdict": "verdict",
}


def show(result: dict[str, Any], ink: str) -> None:
    """Show one finished compression."""
    st.markdown(f"**{' → '.join(words(step) for step in result['steps'])}**")
    verdict(result)
    if result["bundle"]:
        evidence.take_away(result)
    figures(result)
    left, right = st.columns(2)
    with left.container(border=True, height="stretch"):
        evidence.sizes(result["size"], ink)
    with right.container(border=True, height="stretch"):
        change(result, ink)
    evidence.checks(result["parity"])
    if result["bundle"] and (lines := usage(result)):
        with st.expander("Run it", icon=":material/code:"):
            st.code(lines, language="python")


def verdict(result: dict[str, Any]) -> None:
    """Say in words and colour whether it kept its quality, and in red where it did not get smaller."""
    parity = result["parity"]
    found = Verdict(parity["verdict"])
    box, icon = {
        Verdict.PASS: (st.success, ":material/verified:"),
        Verdict.NOT_PROVEN: (st.warning, ":material/help:"),
        Verdict.FAIL: (st.error, ":material/dangerous:"),
    }[found]
    box(f"**{HEADINGS[found]}**\n\n{plain(parity['reason'], 500)}", icon=icon)
    for sentence in result["why"]:
        st.error(plain(sentence, 400), icon=":material/trending_up:")


def figures(result: dict[str, Any]) -> None:
    """Show the figures that decide."""
    parity, size = result["parity"], result["size"]
    data = next((check for check in parity["checks"] if check["name"] == "data"), None)
    flips = data["flips"] if data else None
    with st.grid(2, min_column_width=230):
        st.metric(
            "Smaller as it runs",
            f"{size['ratio']:.2f}x",
            f"{size['after'] / size['before'] - 1:+.0%}",
            delta_color="inverse",
            delta_description=f"{megabytes(size['before'])} to {megabytes(size['after'])}",
            border=True,
            height="stretch",
        )
        travels = size["zipped_before"] / max(1, size["zipped_after"])
        st.metric(
            "Smaller zipped",
            f"{travels:.2f}x",
            delta_description=f"{megabytes(size['zipped_before'])} to {megabytes(size['zipped_after'])}",
            border=True,
            height="stretch",
        )
        st.metric(
            "Prediction flips",
            f"{flips['k']:,}" if flips else "not measured",
            delta_description=f"of {flips['n']:,} held-out samples" if flips else "add a data set",
            border=True,
            height="stretch",
            help=evidence.flips_help(flips),
        )
        if result["quality"]:
            evidence.quality(result["quality"]["before"], result["quality"]["after"])
        speed(result["speed"])
        memory(result["memory"])


def speed(race: dict[str, Any]) -> None:
    """Show the paired ratio with its interval, and in the help how it was measured."""
    noise = " Other work on the machine stretched the wall-clock times." if race["disturbed"] else ""
    st.metric(
        "Speed",
        f"{race['ratio']:.2f}x",
        race["pace"],
        delta_color={"faster": "green", "slower": "red"}.get(race["pace"], "gray"),
        delta_arrow={"faster": "up", "slower": "down"}.get(race["pace"], "off"),
        delta_description=f"{race['low']:.2f} to {race['high']:.2f}, 95 %",
        border=True,
        height="stretch",
        help=f"Processor time of the original over that of the variant, batch {race['batch']}, one thread: "
        f"{race['rounds']} pairs in random order over {race['sessions']} sessions of each. "
        f"Median {race['parent']['cpu_p50']:.3g} ms against {race['variant']['cpu_p50']:.3g} ms.{noise}",
    )


def memory(both: dict[str, Any]) -> None:
    """Show the highest memory, and in the help what it is made of."""
    before, after = both["before"]["peak"], both["after"]["peak"]
    st.metric(
        "Peak memory",
        f"{after:.1f} MB",
        f"{after / before - 1:+.0%}" if before else None,
        delta_color="inverse",
        delta_description=f"from {before:.1f} MB",
        border=True,
        height="stretch",
        help=f"Beyond an empty process, median of {both['after']['runs']}: {both['after']['load_peak']:.1f} MB while it loads, "
        f"{both['after']['inference_peak']:.1f} MB while it answers, {both['after']['loaded']:.1f} MB held in between.",
    )


def change(result: dict[str, Any], ink: str) -> None:
    """Chart the quality before and after on the held-out half."""
    quality = result["quality"]
    if not quality:
        st.markdown("**Quality**")
        st.caption("Not measured: add a data set with labels. Half of it calibrates, the other half measures.")
        return
    before, after = quality["before"], quality["after"]
    st.markdown(f"**{plain(after['metric']).capitalize()} on {after['samples']:,} held-out samples**")
    rows = [
        {
            "file": side,
            "value": one["value"],
            "label": f"{one['value']:.2%}" if one["correct"] else f"{one['value']:.4g}",
        }
        for side, one in (("before", before), ("after", after))
    ]
    st.altair_chart(before_after(rows, ink), alt="Bar chart of the quality before and after")
    st.caption("No sample that a technique learned from is among them.")


def variants(jobs: list[Job], ink: str) -> None:
    """Chart and list all finished compressions of one model."""
    done = [job for job in jobs if job.state is State.DONE and job.result]
    if not done:
        return
    rows = [*map(row, done), original(next((job for job in done if (job.result or {})["quality"]), done[0]))]
    with st.container(border=True):
        st.markdown("**All variants of this model**")
        measured = [one for one in rows if one["quality"] is not None]
        if measured:
            st.altair_chart(pareto(measured, ink), alt="Quality against size of every variant, by family")
        table = [{name: one[key] for key, name in COLUMNS.items()} for one in rows]
        st.table(table, border="horizontal", hide_index=True)


def row(job: Job) -> dict[str, Any]:
    """Return one variant as the chart and the table need it."""
    result = job.result or {}
    steps, size, parity, quality = result["steps"], result["size"], result["parity"], result["quality"]
    data = next((check for check in parity["checks"] if check["name"] == "data"), None)
    after = quality["after"] if quality else None
    return {
        "variant": ", ".join(words(step) for step in steps),
        "family": steps[-1]["family"] if len(steps) == 1 else "recipe",
        "bytes": size["after"],
        "size": megabytes(size["after"]),
        "smaller": f"{size['ratio']:.2f}x",
        "quality": after["value"] if after else None,
        "metric": after["metric"] if after else "",
        "quality shown": shown(after),
        "speed": f"{result['speed']['ratio']:.2f}x {result['speed']['pace']}",
        "flips": f"{data['flips']['k']:,} of {data['flips']['n']:,}" if data and data["flips"] else "",
        "verdict": parity["verdict"],
    }


def original(job: Job) -> dict[str, Any]:
    """Return the uncompressed model as a row, measured as one of its variants was."""
    result = job.result or {}
    size, quality = result["size"]["before"], result["quality"]
    before = quality["before"] if quality else None
    return {
        "variant": "original",
        "family": "original",
        "bytes": size,
        "size": megabytes(size),
        "smaller": "",
        "quality": before["value"] if before else None,
        "metric": before["metric"] if before else "",
        "quality shown": shown(before),
        "speed": "",
        "flips": "",
        "verdict": "",
    }


def shown(quality: dict[str, Any] | None) -> str:
    """Write accuracy in per cent with k of n, and an error as it is."""
    if quality is None:
        return ""
    correct = quality["correct"]
    return f"{quality['value']:.2%} ({correct['k']:,} of {correct['n']:,})" if correct else f"{quality['value']:.4g}"


def words(step: dict[str, Any]) -> str:
    """Name a step with the options that were changed."""
    options = ", ".join(f"{name} {value}" for name, value in step["options"].items())
    name = TECHNIQUES[step["transform"]].title if step["transform"] in TECHNIQUES else step["transform"]
    return plain(f"{name} ({options})" if options else name, 120)
