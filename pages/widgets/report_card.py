"""The report card of one artifact: three figures and a sentence first, then how each was measured."""

import streamlit as st

from core.answers import repeat
from core.answers.charts.bars import megabytes
from core.answers.charts.stages import stages
from core.domain.artifact import Artifact
from core.domain.job import Job
from core.domain.macs import Macs
from core.domain.overhead import Footprint
from core.domain.profile import Profile, Start, Timing
from core.domain.stages import Stages
from pages.widgets import curves, operators, owners
from pages.widgets.figure import figure
from pages.widgets.text import count, plain


def show(artifact: Artifact, job: Job, ink: str) -> None:
    """Show one finished profile."""
    result: Profile = job.result
    headline(result)
    for sentence in result.doubts:
        st.warning(plain(sentence, 500), icon=":material/warning:")
    names = ["Report card", "Operators", "Memory", "Batch and threads", *(["Pipeline"] if result.stages else [])]
    card, nodes, memory, grown, *way = st.tabs(names)
    with card:
        details(result)
    if way and result.stages:
        with way[0]:
            along(result.stages, ink)
    with nodes:
        operators.show(artifact, result, ink)
    with memory:
        owners.show(result, ink)
    with grown:
        curves.show(artifact, job)
    again(artifact, result)


def headline(result: Profile) -> None:
    """Show the three figures that people look for first, and say them in a sentence."""
    timing, memory, start = result.timing, result.memory, result.start
    st.markdown(f"**{plain(result.sentence, 500)}**")
    with st.grid(3, min_column_width=190):
        time(timing)
        low, high = memory.spread or (memory.peak, memory.peak)
        figure(
            "Peak memory",
            f"{memory.peak:.1f} MB",
            delta_description=f"{low:.1f} to {high:.1f} MB in {memory.runs} processes",
            help="Beyond a process that has imported the runtime: the highest while the file is loaded or answers.",
        )
        low, high = start.spread or (start.total, start.total)
        figure(
            "Time to the first answer",
            seconds(start.total),
            delta_description=f"{seconds(low)} to {seconds(high)} in {start.runs} processes",
            help="From a bare interpreter: import the runtime, load the file, answer once.",
        )


def time(timing: Timing) -> None:
    """Show processor time on one thread; of several, which wait for each other, the clock's."""
    calls = f"median of {timing.runs:,} calls over {timing.sessions} sessions; batch {timing.batch}, {threads(timing)}."
    if timing.threads == 1:
        figure(
            "Time of a call",
            milliseconds(timing.cpu),
            delta_description=f"{timing.cpu_low:.3g} to {timing.cpu_high:.3g} ms, 95 %",
            help=f"Processor time, {calls} It holds on a busy machine too, unlike the time on the clock.",
        )
    else:
        words = f"{timing.cpu:.3g} ms of all processors"
        figure(
            "Time of a call", milliseconds(timing.latency), delta_description=words, help=f"Time on the clock, {calls}"
        )


def details(result: Profile) -> None:
    """Show what lies behind each figure."""
    left, right = st.columns(2)
    with left:
        facts(
            "Size",
            {
                "Parameters": count(result.parameters),
                "MACs of a call": macs(result.macs),
                "File": megabytes(result.size),
                "Throughput": f"{result.timing.throughput:,.0f} samples/s, one call after the other",
            },
        )
        st.caption(plain(result.macs.told + " 1 MAC is 2 FLOPs." if result.macs else result.uncounted, 600))
        latency(result.timing)
    with right:
        residence(result.memory)
        cold(result.start)


def macs(found: Macs | None) -> str:
    """Write the count of the run, marked where the graph alone says otherwise."""
    if found is None:
        return "not counted"
    through = f", in {found.through}" if found.through else ""
    return count(found.ran.macs) + (" (by the run alone)" if not found.agree else "") + through


def latency(timing: Timing) -> None:
    """Show the times on the clock, each percentile only where the runs carry it."""
    rows = {"shortest": milliseconds(timing.least)}
    for one in timing.percentiles:
        if one.value is None or one.bound is None:
            rows[one.name] = f"needs {one.missing:,} more calls"
        else:
            rows[one.name] = f"{milliseconds(one.value)} (at most {milliseconds(one.bound)}, 99 % confidence)"
    rows["Interference index"] = f"{timing.interference:.2f}" + (" (busy machine)" if timing.disturbed else "")
    facts(f"Time on the clock, {timing.runs:,} calls", rows)
    st.caption(
        "A percentile is shown once the calls carry it, by the early-stopping rule of MLPerf LoadGen: the 90th needs 64 "
        "calls, the 99th 662."
    )


def residence(memory: Footprint) -> None:
    """Show memory at load, at inference and held, the process's own apart from pages of files."""
    rows = {
        "Highest while loading": f"{memory.load_peak:.1f} MB",
        "Highest while answering": f"{memory.inference_peak:.1f} MB",
        "Held after loading": f"{memory.loaded:.1f} MB",
        "of it private": f"{memory.anonymous:.1f} MB",
        "of it pages of files": f"{memory.mapped:.1f} MB, which processes share",
    }
    facts(f"Memory, median of {memory.runs} fresh processes", rows)


def cold(start: Start) -> None:
    """Show the parts of the start."""
    rows = {
        "Import the runtime": "not measured: it is loaded before"
        if start.imported is None
        else seconds(start.imported),
        "Load the file": seconds(start.load),
        "First call": seconds(start.first),
    }
    facts(f"Start, median of {start.runs} fresh processes", rows)
    st.caption("The file is in the system's cache, as it is when a service restarts.")


def along(found: Stages, ink: str) -> None:
    """Show where the time of a sample goes before, in and behind the model."""
    st.markdown(f"**{plain(found.sentence, 400)}**")
    st.altair_chart(stages(found, ink), alt="Bar chart of the time of each stage from raw data to the answer")
    st.caption(f"Medians of processor time over {found.runs:,} rounds on one thread, in which the samples take turns.")


def facts(title: str, rows: dict[str, str]) -> None:
    """Show named facts as a small table."""
    st.markdown(f"**{title}**")
    st.table({"": list(rows), " ": list(rows.values())}, border="horizontal", hide_index=True, hide_header=True)


def again(artifact: Artifact, result: Profile) -> None:
    """Say under what this was measured, with the command that repeats it."""
    on = result.conditions
    with st.expander("How this was measured, and the command that repeats it", icon=":material/science:"):
        st.code(repeat.profile(artifact.name, result), language="bash")
        versions = ", ".join(f"{name} {version}" for name, version in on.versions.items())
        load = "" if on.load is None else f" Load before: {on.load:.1f} processes."
        data = "the data set " + result.data.name if result.data else "recorded random inputs"
        st.caption(
            plain(
                f"File {on.sha256}. {on.runtime}; {versions}. {on.machine}; {on.threads} thread(s), batch {on.batch}.{load} "
                f"Inputs: {data}; seed {on.seed}. Interference index {result.timing.interference:.2f}.",
                900,
            )
        )


def threads(timing: Timing) -> str:
    """Say how many threads."""
    return "one thread" if timing.threads == 1 else f"{timing.threads} threads"


def milliseconds(value: float) -> str:
    """Write a short time."""
    return f"{value:.3g} ms" if value < 1000 else f"{value / 1000:.3g} s"


def seconds(value: float) -> str:
    """Write a time of starting."""
    return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.0f} ms"
