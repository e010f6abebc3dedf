"""A challenger tried beside a served package: who answers, whether the answers agree, and the ways forward and back."""

import time

import streamlit as st

from core.answers.charts.canary import live
from core.domain.artifact import Artifact
from core.domain.canary import Terms
from core.domain.drift import WINDOW, WatchRequest
from core.domain.job import Job, State
from core.domain.report import Verdict
from core.domain.work import Model, Subject
from core.doors.workspace import current
from core.sandbox.aliases import Alias
from core.sandbox.servers import Server
from core.sandbox.watched import Standing
from pages.visitor import place, visitor
from pages.widgets import progress
from pages.widgets.chrome import ink
from pages.widgets.figure import figure
from pages.widgets.text import plain

CHALLENGER, SHARE, MIRROR, ALLOWED, KIND, NEAR = (
    f"canary-{part}" for part in ("server", "share", "mirror", "allowed", "kind", "near")
)
PREDICTIONS, NUMBERS = "the same prediction", "all numbers within a tolerance"
WORDS = {
    Verdict.PASS: ("They agree", "green"),
    Verdict.FAIL: ("They do not agree", "red"),
    Verdict.NOT_PROVEN: ("Not proven yet", "gray"),
}


def front(server: Server) -> Alias | None:
    """Return the address in front of a server, where there is one."""
    found = current().sandbox.servers.aliases(visitor())
    return next((one for one in found if server in (one.champion, one.challenger, one.former)), None)


def show(server: Server, artifact: Artifact, tested: Job) -> None:
    """Show who answers behind the address of a server, and offer to try another one beside it."""
    alias = front(server)
    with st.container(border=True):
        st.markdown("**Champion and challenger**")
        if alias is not None:
            behind(alias)
            inputs(alias, artifact, tested)
        else:
            st.button(
                "Open an address that stays",
                icon=":material/link:",
                disabled=not place().steers,
                on_click=progress.attempt,
                args=(lambda: place().front(server.id),),
                help="The address stays the same while you change the server behind it. Its requests are charted here.",
            )
        if alias is None or alias.challenger is None:
            offer(server if alias is None else alias.champion)


def inputs(alias: Alias, artifact: Artifact, tested: Job) -> None:
    """Say whether the inputs are still such as the test data, refreshed while it is looked at; or offer to watch them."""
    data = tested.request.data
    if alias.reference is None:
        if data is None:
            st.caption(
                "Test the package with test data (step 4); then the inputs of requests can be watched for drift against it."
            )
            return
        jobs = [job for job in current().queue.jobs(visitor()) if job.verb == "watch" and job.request.subject.artifact == artifact.id and job.request.data == data]  # fmt: skip
        job = next(iter(jobs), None)
        if job is not None and job.state is State.DONE and job.result is not None:
            if not place().steers:  # whoever began to watch opens the page again, and it is done then
                return
            place().watch(alias.id, job.result)
        elif job is not None and job.state.active:
            progress.watch(job.id)
            return
        else:
            made = tested.result.artifact
            request = WatchRequest(Subject.of(artifact), Model(made.sha256, made.size, made.format), data)
            st.button("Watch the inputs", icon=":material/visibility:", key=f"watch-{alias.id}", disabled=not place().steers, on_click=progress.attempt, args=(lambda: place().submit("watch", request),))  # fmt: skip
            return

    @st.fragment(run_every=2.0)
    def body() -> None:
        names = len(alias.reference.names) if alias.reference else 0
        if not alias.windows:
            st.caption(
                f"Inputs: {names:,} features will be compared with the test data after {alias.waiting:,} more requests."
            )
        elif alias.moved:
            told = ", ".join(f"{plain(one.name)} (median {one.before:,.5g} in the test data, {one.now:,.5g} now)" for one in alias.moved[:5])  # fmt: skip
            st.warning(
                f"The inputs have moved away from the test data: {told}. Measure the quality of the model on newer data before you rely on its answers.",
                icon=":material/trending_up:",
            )
        else:
            st.caption(f"Inputs: no drift of {names:,} features against the test data in the last {WINDOW:,} requests.")

    body()


def offer(champion: object) -> None:
    """Ask for a server and the terms on which it is tried."""
    if not isinstance(champion, Server):
        return
    others = {one.id: one for one in current().sandbox.servers.of(visitor()) if one is not champion}
    if not others:
        st.caption(
            "Start a second package, such as that of a compressed model, from that model's own page. It can then be tried "
            "here beside this one, behind the same address."
        )
        return
    st.selectbox("Challenger", list(others), format_func=lambda id: others[id].title, key=CHALLENGER)
    with st.grid(3, min_column_width=140):
        st.number_input("Requests it answers, %", 0.0, 100.0, 10.0, 5.0, key=SHARE, help="Requests with the same header X-Canary-Id, or else the same id, always go to the same server.")  # fmt: skip
        st.number_input("Requests compared, %", 0.0, 100.0, 100.0, 10.0, key=MIRROR, help="Both servers answer these requests; the client gets one of the two answers.")  # fmt: skip
        st.number_input("Answers that may differ, %", 0.01, 50.0, 1.0, 0.5, key=ALLOWED, help="The challenger is promoted when fewer answers are proven to differ, and rolled back when more are.")  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.selectbox("Two answers agree when they have", [PREDICTIONS, NUMBERS], key=KIND)
        if kind == NUMBERS:
            st.number_input("Tolerance", 0.0, 0.99, 0.001, 0.001, format="%g", key=NEAR, help="How far two numbers may lie apart, as a share of 1 plus their size: 0.001 allows 0.002 at 1.")  # fmt: skip
        st.button(
            "Try it beside this one",
            icon=":material/alt_route:",
            disabled=not place().steers,
            on_click=progress.attempt,
            args=(lambda: begun(champion),),
        )
    st.caption("The challenger takes over by itself as soon as its answers are proven to agree, and is rolled back as soon as they are proven not to.")  # fmt: skip


def begun(champion: Server) -> Alias:
    """Begin to try the chosen server on the terms in the form."""
    share, mirror, allowed = (float(st.session_state[key]) / 100 for key in (SHARE, MIRROR, ALLOWED))
    near = float(st.session_state[NEAR]) if st.session_state[KIND] == NUMBERS else None
    return place().try_beside(champion.id, st.session_state[CHALLENGER], Terms(share, mirror, allowed, near))


def behind(alias: Alias) -> None:
    """Show an alias, refreshed while it is looked at; the page runs again when another server answers."""
    number = alias.number

    @st.fragment(run_every=1.0)
    def body() -> None:
        if alias.number != number or alias.standing is Standing.STOPPED:
            st.rerun()
        known = alias.agreement
        words, colour = WORDS[known.verdict]
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge("champion", color="blue")
            st.markdown(plain(alias.champion.title), width="content")
            if alias.challenger is not None:
                st.badge("challenger", color="orange")
                st.markdown(plain(alias.challenger.title), width="content")
                st.badge(words, color=colour)  # type: ignore[arg-type]
        with st.grid(3, min_column_width=140):
            figure("Address", f":{alias.port}", help=f"{alias.url} stays the same, whichever server answers")
            figure("Compared", f"{known.compared:,}", help=f"Different requests that both servers answered. {alias.skipped:,} more were not counted: repeats, refused ones, and those that came faster than both could answer")  # fmt: skip
            figure("Differ", f"{known.differ:,}")
        if alias.challenger is not None:
            st.markdown(known.sentence)
        elif alias.outcome:
            st.markdown(plain(alias.outcome, 600))
        if alias.moments:
            st.altair_chart(
                live(list(alias.moments), time.time(), ink()),
                alt="Requests a second, median latency and share of answers that differ, by server, over the last two minutes",
            )
        else:
            st.caption("Requests to this address appear here, second by second.")

    body()
    with st.container(horizontal=True):
        if alias.challenger is not None:
            st.button("Promote", icon=":material/upgrade:", key=f"promote-{alias.id}", disabled=not place().steers, on_click=progress.attempt, args=(lambda: place().promote(alias.id),))  # fmt: skip
        if alias.challenger is not None or alias.former is not None:
            st.button("Roll back", icon=":material/undo:", key=f"back-{alias.id}", disabled=not place().steers, on_click=progress.attempt, args=(lambda: place().roll_back(alias.id),))  # fmt: skip
        st.button("Close the address", type="tertiary", key=f"give-up-{alias.id}", disabled=not place().steers, on_click=progress.attempt, args=(lambda: place().give_up(alias.id),))  # fmt: skip
