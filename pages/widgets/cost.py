"""What a measured model costs in money and energy, and which rate of requests it bears: estimates over figures that people edit."""

from typing import Any

import streamlit as st

from core.answers.charts.bars import megabytes
from core.answers.charts.queueing import curve
from core.answers.queueing import LOADS, Response, capacity, respond, safe_rate
from core.domain.artifact import Artifact
from core.domain.limits import MB
from core.domain.price import EXAMPLES, Assumptions, Machine, price
from core.domain.profile import Profile, Timing
from core.domain.session_state import key_value_cache
from pages.widgets.figure import figure
from pages.widgets.text import plain, shape

COST = "a million predictions, estimated"
SHORT = 8
"""States that are listed without scrolling."""
QUEUED = 20_000
"""Requests of one simulation on the page."""


def section(artifact: Artifact, result: Profile) -> None:
    """Show both below a report card."""
    with st.expander("Money and energy", icon=":material/payments:"):
        money(artifact, result.timing)
    with st.expander("Real time", icon=":material/timer:"):
        real_time(artifact, result.timing)
    with st.expander("State of a session", icon=":material/history:"):
        state(artifact, result)


def money(artifact: Artifact, timing: Timing) -> None:
    """Show what a million predictions take on each machine of an editable table."""
    st.caption(
        "Estimates from the measured processor time. Prices, watts and the grid are yours to set; the rows below are examples, not offers."
    )
    table = [{"machine": one.name, "cores": one.cores, "price an hour": one.price} for one in EXAMPLES]
    edited: Any = st.data_editor(table, num_rows="dynamic", hide_index=True, key=f"prices-{artifact.id}")
    given = assumptions(artifact)
    rows, wrong = list[dict[str, Any]](), 0
    for row in edited:
        try:
            machine = Machine(str(row.get("machine") or "unnamed"), float(row["cores"]), float(row["price an hour"]))
        except (KeyError, TypeError, ValueError):
            wrong += 1
            continue
        found = price(timing.cpu, timing.batch, machine, given)
        rows.append({"machine": plain(machine.name, 60), COST: found.money})
    if wrong:
        st.caption(f"{wrong} row(s) left out: a machine needs cores above 0 and a price.")
    if rows:
        cheapest = min(rows, key=lambda row: row[COST])
        st.markdown(
            f"**A million predictions cost about {cheapest[COST]:,.3g} on the cheapest of these, in the currency of the table.**"
        )
        rows = [row | {COST: f"{row[COST]:,.4g}"} for row in rows]
        st.table(rows, border="horizontal", hide_index=True)
    energy = price(timing.cpu, timing.batch, EXAMPLES[0], given)
    with st.grid(2, min_column_width=190):
        figure(
            "Energy of a million, estimated", f"{energy.kwh:.3g} kWh", help="Processor seconds x watts a core x PUE."
        )
        figure(
            "Carbon dioxide of a million, estimated",
            f"{energy.grams:.3g} g",
            help="That energy x grams a kWh of the grid.",
        )


def assumptions(artifact: Artifact) -> Assumptions:
    """Ask for what the estimate stands on."""
    base = Assumptions()
    with st.container(horizontal=True):
        busy = st.number_input("Busy, % of the time", 1.0, 100.0, 100 * base.utilization, key=f"busy-{artifact.id}")
        watts = st.number_input("Watts a busy core", 0.0, 1000.0, base.watts, key=f"watts-{artifact.id}")
        pue = st.number_input(
            "PUE",
            1.0,
            5.0,
            base.pue,
            0.1,
            help="All energy of the building over that of its computers.",
            key=f"pue-{artifact.id}",
        )
        grams = st.number_input("g CO2 a kWh", 0.0, 2000.0, base.grams, 10.0, key=f"grams-{artifact.id}")
    return Assumptions(float(busy) / 100, float(watts), float(pue), float(grams))


def first(timing: Timing) -> float:
    """Return the deadline to begin with: twice what nearly every call takes."""
    return max(0.01, round(2 * timing.service[int(0.995 * len(timing.service))], 2))


def real_time(artifact: Artifact, timing: Timing) -> None:
    """Show which rate of random arrivals keeps a deadline, and what a chosen rate does to waiting."""
    if not timing.service:
        st.caption("This profile is from an earlier version, which kept no single times. Measure again.")
        return
    with st.container(horizontal=True):
        deadline = st.number_input("Deadline, ms", 0.01, 1e6, first(timing), key=f"deadline-{artifact.id}")
        workers = st.number_input("Workers", 1, 256, 1, key=f"workers-{artifact.id}")
        missed = st.number_input("May miss it, %", 0.01, 50.0, 1.0, key=f"missed-{artifact.id}")
    most = capacity(timing.service, int(workers))
    safe = largest(timing.service, float(deadline), float(missed) / 100, int(workers))
    rate = st.number_input(
        "Requests a second",
        most / 1000,
        2 * most,
        max(safe, most / 1000),
        key=f"rate-{artifact.id}-{workers}-{most:.6g}",
    )
    found = simulated(timing.service, float(rate), float(deadline), int(workers))
    told = f"Up to {safe:,.1f} requests a second are answered within {deadline:g} ms, but for {missed:g} %."
    none = f"No rate is safe: more than {missed:g} % of single calls take longer than {deadline:g} ms by themselves."
    st.markdown(f"**{told if safe else none}**")
    with st.grid(3, min_column_width=190):
        figure(
            "Largest safe rate",
            f"{safe:,.1f}/s",
            f"capacity {most:,.1f}/s",
            delta_color="off",
            delta_arrow="off",
            help=f"At most {missed:g} % of requests later than {deadline:g} ms.",
        )
        figure(
            "p99 at this rate",
            "grows without end" if found.p99 is None else f"{found.p99:,.3g} ms",
            help=f"Workers are busy {found.utilization:.0%} of the time.",
        )
        figure("Missed deadlines", f"{found.missed:.2%}", help="Share of the requests at this rate.")
    points = [simulated(timing.service, load * most, float(deadline), int(workers)) for load in LOADS]
    rows = [
        {"rate": one.rate, "quantile": name, "ms": ms}
        for one in points
        for name, ms in (("p50", one.p50), ("p99", one.p99))
    ]
    st.altair_chart(curve(rows, float(deadline)), alt="Response time at rates up to the capacity, with the deadline")
    noise = (
        " The machine was busy while it was measured, so these times are longer than a quiet machine's."
        if timing.disturbed
        else ""
    )
    st.caption(
        f"Simulated from {timing.runs:,} measured calls of batch {timing.batch}: requests arrive at random (Poisson), wait in one line "
        f"and are answered one call each. Workers are taken to not slow each other.{noise}"
    )


@st.cache_data(max_entries=500, show_spinner=False)
def simulated(service: tuple[float, ...], rate: float, deadline: float, workers: int) -> Response:
    """Simulate once for each set of figures."""
    return respond(service, rate, deadline, workers, requests=QUEUED)


@st.cache_data(max_entries=100, show_spinner="Simulating")
def largest(service: tuple[float, ...], deadline: float, missed: float, workers: int) -> float:
    """Find the largest safe rate once for each set of figures."""
    return safe_rate(service, deadline, missed, workers, requests=QUEUED)


def state(artifact: Artifact, result: Profile) -> None:
    """Show what one session keeps between calls and how many sessions fit, or compute it by the formula of keys and values."""
    found = result.state
    if found.inside:
        st.caption(f"The runtime keeps {found.inside} state(s) inside, whose size the file does not say.")
    if not found.kept:
        st.caption(
            "No output of this model comes back as an input, so a session keeps nothing. Attention's keys and values by formula:"
        )
    with st.container(horizontal=True):
        memory = st.number_input("Memory, GB", 0.1, 10_000.0, 8.0, 1.0, key=f"state-memory-{artifact.id}")
        length = st.number_input("Steps so far, such as tokens", 1, 10_000_000, 1024, key=f"state-length-{artifact.id}")
    each, held = (
        (found.at(int(length)), result.memory.peak * MB) if found.kept else (formula(artifact, int(length)), 0.0)
    )
    fit = max(0, int((memory * 1e9 - held) // each)) if each else 0
    with st.grid(2, min_column_width=190):
        figure(
            "State of a session",
            megabytes(each),
            f"{megabytes(found.per_step)} a step" if found.per_step else None,
            delta_color="off",
            delta_arrow="off",
        )
        figure(
            f"Sessions in {memory:g} GB",
            f"{fit:,}",
            help="Beside the peak memory of the model." if found.kept else "For the state alone.",
        )
    if found.kept:
        rows = [
            {
                "input": plain(one.input, 60),
                "comes from": plain(one.output, 60),
                "shape": shape(one.shape),
                "bytes": f"{one.bytes:,}" + (" a step" if one.grows else ""),
            }
            for one in found.kept
        ]
        with st.container(height=300 if len(rows) > SHORT else "content", border=False):
            st.table(rows, border="horizontal", hide_index=True)


def formula(artifact: Artifact, length: int) -> int:
    """Ask for what the formula of keys and values needs."""
    with st.container(horizontal=True):
        layers, heads, width, size = (
            int(st.number_input(label, 1, 100_000, start, key=f"kv-{label}-{artifact.id}"))
            for label, start in (("Layers", 12), ("Heads of keys", 12), ("Width of a head", 64), ("Bytes a number", 2))
        )
    return key_value_cache(layers, heads, width, length, size=size)
