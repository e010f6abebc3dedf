"""Two models beside each other: the form that asks for the other one, and what was found of both."""

from typing import Literal

import streamlit as st

from core.answers import repeat
from core.answers.charts.bars import megabytes
from core.domain.artifact import Artifact
from core.domain.difference import Change, ChangeKind, Difference
from core.domain.gate import Bounds
from core.domain.job import Job
from core.domain.overhead import Pace, apart
from core.domain.report import Verdict
from core.domain.versus import KindTime, Versus, VersusRequest
from core.domain.work import Subject
from core.doors.workspace import current
from core.runtimes import cannot_run
from core.verbs.profile import MOST_SAMPLES, MOST_THREADS
from pages.visitor import visitor
from pages.widgets import consent, evidence, measuring, testdata
from pages.widgets.figure import figure
from pages.widgets.text import plain

PACES: dict[Pace, tuple[Literal["green", "red", "gray"], Literal["up", "down", "off"]]] = {
    Pace.FASTER: ("green", "up"),
    Pace.SLOWER: ("red", "down"),
}
SHORT = 9
"""Changes that are shown without scrolling."""
ANSWERS = {Verdict.PASS: "same", Verdict.FAIL: "differ", Verdict.NOT_PROVEN: "not proven"}


def form(artifact: Artifact, job: Job | None) -> None:
    """Ask for the model to compare with, data, the samples of a call, threads and bounds, and submit."""
    used = job.request if job is not None and isinstance(job.request, VersusRequest) else None
    others = {one.id: one for one in current().store.artifacts(visitor()) if not cannot_run(one.format)}
    ids = sorted(others, key=lambda id: (id != (used and used.against.artifact), id == artifact.id))
    other = others[
        st.selectbox(
            "Compare with",
            ids,
            format_func=lambda id: (
                f"{others[id].name} · {megabytes(others[id].size)}" + (" (this one)" if id == artifact.id else "")
            ),
            help="A model that takes the same inputs, or this one on another number of threads.",
            key=f"against-{artifact.id}",
        )
    ]
    data = testdata.choose(artifact, job)
    with st.container(horizontal=True):
        batch = st.number_input(
            "Samples in a call", 1, MOST_SAMPLES, used.batch if used else 1, key=f"vs-batch-{artifact.id}"
        )
        before, after = (
            st.number_input(
                f"Threads of {word} one",
                1,
                MOST_THREADS,
                used.threads[n] if used else 1,
                key=f"vs-threads-{n}-{artifact.id}",
            )
            for n, word in enumerate(("the other", "this"))
        )
    bounds = ask_bounds(artifact, used.bounds if used else None)
    opened = list({artifact.id: artifact, other.id: other}.values())
    for one in opened:
        consent.ask(one)
    threads = int(before), int(after)
    request = VersusRequest(Subject.of(artifact), Subject.of(other), data, int(batch), bounds, threads)
    measuring.button("versus", request, job, ("Compare", "Compare again"), ":material/compare_arrows:", opened)
    st.caption("Half a minute, one minute with a bound on memory. Both are timed in turns, in random order.")


def ask_bounds(artifact: Artifact, used: Bounds | None) -> Bounds | None:
    """Ask for the bounds that this model must keep, if any."""
    with st.popover("Hold it to a bound", icon=":material/rule:", type="tertiary"):
        found = [
            st.number_input(
                f"{words}, %",
                0.0,
                1000.0,
                None if old is None else 100 * old,
                1.0,
                placeholder="no bound",
                key=f"bound-{words}-{artifact.id}",
            )
            for words, old in (
                ("May be slower by", used.slowdown if used else None),
                ("May take more memory by", used.memory if used else None),
            )
        ]
    shares = [None if one is None else float(one) / 100 for one in found]
    return Bounds(*shares) if shares != [None, None] else None


def show(job: Job) -> None:
    """Show three figures and a sentence, the bounds, what differs between the graphs, the checks of the answers, and the command that repeats it."""
    result: Versus = job.result
    st.markdown(f"**{plain(result.sentence, 500)}**")
    with st.grid(3, min_column_width=190):
        figures(result)
    for held in result.gate.held if result.gate else ():
        say = {Verdict.PASS: st.success, Verdict.FAIL: st.error, Verdict.NOT_PROVEN: st.warning}[held.verdict]
        say(f"**{held.verdict}.** {plain(held.sentence, 300)}")
    if result.race.disturbed:
        st.caption("Other work kept the machine busy. The comparison is still right; wall-clock times are not.")
    with st.container(border=True):
        st.markdown("**What differs between the graphs**")
        if result.difference is None:
            st.caption(
                "One of the two has no graph that can be read as ONNX, so only time, memory and answers are compared."
            )
        else:
            changes(result.difference)
    if result.kinds:
        with st.expander("Where time was won and lost", icon=":material/timer:"):
            kinds(result.kinds)
    evidence.checks(result.parity)
    with st.expander("The command that repeats it", icon=":material/science:"):
        st.code(repeat.versus(job.request), language="bash")


def kinds(found: tuple[KindTime, ...]) -> None:
    """Show both traces by kind of operator."""
    rows = [
        {
            "operator": plain(one.kind, 60),
            "nodes": " → ".join(map(str, one.nodes)),
            "µs before": f"{one.microseconds[0]:,.1f}",
            "µs after": f"{one.microseconds[1]:,.1f}",
            "won": f"{one.won:+,.1f}",
        }
        for one in found
    ]
    with st.container(height=420 if len(rows) > SHORT else "content", border=False):
        st.table(rows, border="horizontal", hide_index=True)
    st.caption(
        "From ONNX Runtime's trace of either, one after the other: good for where, while the paired time above says how much."
    )


def figures(result: Versus) -> None:
    """Show speed, memory and answers."""
    race, old, new = result.race, result.memory.before, result.memory.after
    colour, arrow = PACES.get(race.pace, ("gray", "off"))
    figure(
        "Speed",
        f"{race.ratio:.2f}x",
        race.pace,
        delta_color=colour,
        delta_arrow=arrow,
        delta_description=f"{race.low:.3f} to {race.high:.3f}, 95 %",
        help=f"{result.clock.capitalize()} of the other model over that of this one, batch {race.batch}: {race.rounds} pairs in "
        f"random order over {race.sessions} sessions of each. Within 1 % counts as the same.",
    )
    clear = bool(old.spread and new.spread and apart(old.spread, new.spread))
    figure(
        "Peak memory",
        f"{new.peak:.1f} MB",
        f"{new.peak / old.peak - 1:+.0%}" if old.peak else None,
        delta_color="inverse" if clear else "off",
        delta_arrow="auto" if clear else "off",
        delta_description=f"against {old.peak:.1f} MB",
        help=f"Beyond a process that has imported the runtime, median of {new.runs} fresh processes each. Coloured only where the measurements do not overlap.",
    )
    flips = result.parity.top1_flips
    figure(
        "Answers",
        ANSWERS[result.parity.verdict],
        f"{flips.k:,} of {flips.n:,} predictions changed" if flips else None,
        delta_color="off",
        delta_arrow="off",
        help=plain(result.parity.reason, 600),
    )


def changes(found: Difference) -> None:
    """Show what differs, in a sentence and a table."""
    st.markdown(plain(found.sentence, 600))
    if not found.changes:
        return
    rows = [
        {
            "change": str(one.kind),
            "where": plain(f"{one.operator} {one.name}", 80),
            "what": plain(one.what, 60),
            "before": ""
            if one.kind is ChangeKind.WEIGHT and one.differ and one.differ.n > 1
            else plain(one.before, 70),
            "after": plain(_after(one), 70),
        }
        for one in found.changes
    ]
    with st.container(height=420 if len(rows) > SHORT else "content", border=False):
        st.table(rows, border="horizontal", hide_index=True)
    if sum(found.counts.values()) > len(rows):
        st.caption(f"The first {len(rows):,} of {sum(found.counts.values()):,} changes, each kind among them.")


def _after(one: Change) -> str:
    """Say what something became, of a weight how many of its numbers changed and by how much."""
    counted = f"{one.differ.k:,} of {one.differ.n:,} numbers" if one.differ and one.differ.n > 1 else ""
    moved = f"moved by {one.moved:.2g} of their size" if one.moved is not None else ""
    kept = "" if one.kind is ChangeKind.WEIGHT and counted else one.after
    return ", ".join(filter(None, (kept, counted, moved)))
