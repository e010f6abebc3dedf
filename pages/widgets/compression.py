"""What a compression won and lost: verdict, figures, charts, and all variants of one model beside each other."""

from typing import Literal

import streamlit as st

from core.answers.bundle import usage
from core.answers.charts.bars import before_after, megabytes
from core.answers.charts.variants import changed, words
from core.domain.compression import Compression
from core.domain.job import Job
from core.domain.measures import Memory
from core.domain.overhead import Pace, Race, apart
from core.domain.report import Verdict
from pages.widgets import evidence, inside, onward, variants
from pages.widgets.figure import figure
from pages.widgets.text import answer_and_rest, plain

PACES: dict[Pace, tuple[Literal["green", "red", "gray"], Literal["up", "down", "off"]]] = {
    Pace.FASTER: ("green", "up"),
    Pace.SLOWER: ("red", "down"),
}
HEADINGS = {
    Verdict.PASS: "PASS. The loss of quality is within what you allowed.",
    Verdict.NOT_PROVEN: "NOT PROVEN. The file runs, but its loss of quality was not measured.",
    Verdict.FAIL: "FAIL. The loss of quality is more than you allowed, so the file cannot be downloaded.",
}
TOO_FEW = (
    "NOT PROVEN. The samples are too few to show that the loss of quality is within what you allowed. "
    "You can download the file, and its evidence says so."
)
EARLIER = (
    "This verdict is from an earlier version and is about these samples alone. "
    "Compress again to see what holds for samples that nobody has seen."
)


def show(result: Compression, made: str, done: list[Job], ink: str) -> None:
    """Show a finished compression, whose artifact is ``made``, beside all that are ``done`` for the model; then what it rests on."""
    st.markdown(f"**{' → '.join(plain(words(step)) for step in result.steps)}**")
    with evidence.answer(result, result.travel):
        verdict(result)
    figures(result)
    left, right = st.columns([3, 2])
    with left.container(border=True, height="stretch"):
        variants.chart(done, ink)
    with right.container(border=True, height="stretch"):
        evidence.sizes(result.size, ink)
        change(result, ink)
    onward.section(made, "compress.py")
    evidence.used(result)
    notes(result)
    evidence.reading(result.read)
    inside.section(result, ink)
    evidence.checks(result.parity)
    if result.bundle and (lines := usage(result)):
        with st.expander("Run it", icon=":material/code:"):
            st.code(lines, language="python")


def verdict(result: Compression) -> None:
    """Say in words and colour whether it kept its quality, and in red where it did not get smaller."""
    parity = result.parity
    found = parity.verdict
    box, icon = {
        Verdict.PASS: (st.success, ":material/verified:"),
        Verdict.NOT_PROVEN: (st.warning, ":material/help:"),
        Verdict.FAIL: (st.error, ":material/dangerous:"),
    }[found]
    words = TOO_FEW if found is Verdict.NOT_PROVEN and parity.loss else HEADINGS[found]
    box(f"**{words}**\n\n{plain(answer_and_rest(parity.reason)[0], 900)}", icon=icon)
    if result.quality and not result.quality.loss and not (parity.tolerance and parity.tolerance.bounds):
        st.caption(f":material/history: {EARLIER}")
    for one in result.why:
        if one.worse:
            st.error(plain(one.text, 500), icon=":material/trending_up:")


def notes(result: Compression) -> None:
    """Say what explains the figures, and on which processors the answers are those that were measured."""
    evidence.asked(result.parity)
    for one in result.why:
        if not one.worse:
            st.caption(f":material/info: {plain(one.text, 500)}")
    if result.safe_on:
        st.caption(f":material/memory: Safe on: {plain(result.safe_on, 400)}")


def figures(result: Compression) -> None:
    """Show the figures that decide."""
    size, flips = result.size, changed(result)
    with st.grid(6, min_column_width=160):
        figure(
            "File size",
            megabytes(size.after),
            f"{size.after / size.before - 1:+.0%}",
            delta_color="inverse",
            delta_description=f"from {megabytes(size.before)}",
            help=f"{size.ratio:.2f} times smaller, as a runtime opens it.",
        )
        if result.quality:
            evidence.quality(result.quality.before, result.quality.after)
        figure(
            "Changed predictions",
            f"{flips.k:,}" if flips else "not measured",
            delta_description=f"of {flips.n:,} held-out samples" if flips else "add a data set",
            help=evidence.flips_help(flips),
        )
        speed(result.speed)
        memory(result.memory)
        how, before, after = size.download()
        figure(
            "Download size",
            megabytes(after),
            f"{after / max(1, before) - 1:+.0%}",
            delta_color="inverse",
            delta_description=f"from {megabytes(before)}",
            help=f"Both files {how}: {before / max(1, after):.2f} times smaller. {size.not_packed or ''}",
        )


def speed(race: Race) -> None:
    """Show the paired ratio with its interval, and in the help how it was measured."""
    colour, arrow = PACES.get(race.pace, ("gray", "off"))
    noise = " Other work on the machine lengthened the wall-clock times." if race.disturbed else ""
    figure(
        "Speed",
        f"{race.ratio:.2f}x",
        race.pace,
        delta_color=colour,
        delta_arrow=arrow,
        delta_description=f"{race.low:.2f} to {race.high:.2f}, 95 %",
        help=f"Processor time of the original over that of the variant, batch {race.batch}, one thread: "
        f"{race.rounds} pairs in random order over {race.sessions} sessions of each. "
        f"Median {race.parent.cpu_p50:.3g} ms against {race.variant.cpu_p50:.3g} ms.{noise}",
    )


def memory(both: Memory) -> None:
    """Show the highest memory, and in the help what it is made of."""
    before, after = both.before.peak, both.after.peak
    spreads = [one.spread or (one.peak, one.peak) for one in (both.before, both.after)]
    (least, most), runs = spreads[1], both.after.runs
    figure(
        "Peak memory",
        f"{after:.1f} MB",
        f"{after / before - 1:+.0%}" if before else None,
        delta_color="inverse" if apart(*spreads) else "off",
        delta_description=f"from {before:.1f} MB",
        help=f"Beyond an empty process, median of {runs} ({least:.1f} to {most:.1f} MB): {both.after.load_peak:.1f} MB while it loads, "
        f"{both.after.inference_peak:.1f} MB while it answers, {both.after.loaded:.1f} MB held in between.",
    )


def change(result: Compression, ink: str) -> None:
    """Chart the quality before and after on the held-out half."""
    quality = result.quality
    if not quality:
        st.markdown("**Quality**")
        st.caption("Not measured: add a data set with labels. One half calibrates, the other half measures.")
        return
    before, after = quality.before, quality.after
    st.markdown(f"**{plain(after.title)} on {after.samples:,} held-out samples**")
    rows = [
        {
            "file": side,
            "value": one.value,
            "label": f"{one.value:.2%}" if one.correct else f"{one.value:.4g}",
        }
        for side, one in (("before", before), ("after", after))
    ]
    st.altair_chart(before_after(rows, ink), alt="Bar chart of the quality before and after")
    st.caption("No technique learned from any of these samples.")
