"""Tune on the page: what to make small, then the search while it runs, the best so far, and what each layer bears."""

import streamlit as st

from core.answers.bundle import safe_stem
from core.answers.charts.bars import megabytes
from core.answers.charts.tuning import heat, search
from core.domain.artifact import Artifact
from core.domain.job import Job, State
from core.domain.report import Verdict
from core.domain.search import MINUTES, TuneRequest, Tuning
from core.domain.tuning import Goal, Point, Progress, Standing
from core.domain.work import Data, Subject
from core.doors.workspace import current
from pages.visitor import place, visitor
from pages.widgets import download, progress
from pages.widgets.text import plain

GOALS = {
    Goal.SIZE: "File size",
    Goal.TRAVEL: "Download size",
    Goal.LATENCY: "Latency",
    Goal.MEMORY: "Memory",
}
SECONDS = 1.0
TOGGLED = "tune-toggled"
"""Under it the session notes a click in the heat map, which the form outside of this part must follow."""

LOOKS = {
    Standing.WAITING: "gray",
    Standing.WALKING: "blue",
    Standing.WALKED: "green",
    Standing.OVERTAKEN: "gray",
    Standing.REFUSED: "orange",
}


def form(artifact: Artifact, data: Data | None, drop: float, job: Job | None) -> None:
    """Ask what is made small, for how long, and which layers stay, and begin."""
    goal = st.selectbox("Minimise", list(GOALS), format_func=GOALS.__getitem__, key=f"goal-{artifact.id}")
    minutes = st.number_input(
        "Minutes",
        1.0,
        24 * 60.0,
        MINUTES,
        1.0,
        help="The search stops by then. The best so far is always kept, and the search can continue later.",
        key=f"minutes-{artifact.id}",
    )
    keep = kept(artifact, job)
    if data is None:
        st.caption(":material/info: The search compares candidates on samples: add a data set, preferably with labels.")
    request = TuneRequest(Subject.of(artifact), data, drop, goal, float(minutes), keep=tuple(keep))
    st.button(
        "Search for the best trade-off",
        type="primary",
        icon=":material/travel_explore:",
        disabled=data is None or (job is not None and job.state.active),
        width="stretch",
        on_click=progress.begin,
        args=(lambda: place().submit("tune", request),),
    )


def kept(artifact: Artifact, job: Job | None) -> list[str]:
    """Ask which layers stay as they are, once a search has measured them."""
    result = job.result if job is not None and job.verb == "tune" else None
    if result is None or result.heat is None:
        return []
    names = [row.name for row in result.heat.rows]
    return list(
        st.multiselect(
            "Layers to leave unchanged",
            names,
            key=keeping(artifact),
            help="Click a layer in the heat map, or choose it here; the next search leaves it unchanged.",
        )
    )


def keeping(artifact: Artifact) -> str:
    """Name the choice of layers in the session."""
    return f"keep-{artifact.id}"


def show(artifact: Artifact, job: Job, ink: str) -> None:
    """Show a search, live while it runs; it keeps what it found however it ends."""
    active = job.state.active

    @st.fragment(run_every=SECONDS if active else None)
    def body() -> None:
        now = current().queue.job(visitor(), job.id)
        if (active and not now.state.active) or st.session_state.pop(TOGGLED, False):
            st.rerun()
        with st.container(border=True, key="tuning"):
            heading(now)
            if now.result:
                found(artifact, now.result, ink)

    body()


def heading(job: Job) -> None:
    """Say how far the search is, and offer what can be done now."""
    result: Tuning | None = job.result
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(width="content", gap="xsmall"):
            st.markdown(f"**{plain(job.title)}**")
            st.caption(plain((result.sentence if result else "") or job.message or progress.waiting(job), 700))
        if job.state.active:
            st.button(
                "Pause",
                icon=":material/pause:",
                key="tune-pause",
                on_click=progress.cancel,
                args=(job.id,),
                help="Keeps the results so far; the search can continue from there.",
            )
        elif job.state.repeatable:
            st.button("Resume", icon=":material/resume:", key="tune-again", on_click=progress.retry, args=(job.id,))
    if job.state.active:
        st.progress(job.fraction or 0.0, text=f"{job.message or progress.waiting(job)}{left(result)}")
    elif job.state is State.FAILED and job.trouble:
        st.error(f"{plain(job.trouble.message, 600)} {plain(job.trouble.next_step, 400)}", icon=":material/block:")


def left(result: Tuning | None) -> str:
    """Say how long it will take."""
    if result is None:
        return ""
    seconds = result.left_seconds
    return f" · about {seconds / 60:.0f} min left" if seconds >= 90 else f" · about {seconds:.0f} s left"


def found(artifact: Artifact, result: Tuning, ink: str) -> None:
    """Show the best, the candidates, the heat map and the ladders."""
    if result.best:
        best(artifact, result, result.best)
    chart = search(result, ink)
    if chart is not None:
        st.altair_chart(chart, alt="Every candidate: quality kept against what is minimised")
        st.caption("Hollow: above the allowed drop. Candidates with a name are the best of their size.")
    with st.expander("Sensitivity of each layer", icon=":material/grid_on:", expanded=chart is None):
        bears(artifact, result, ink)
    with st.expander("Approaches", icon=":material/stairs:"):
        st.table([ladder(one) for one in result.ladders], border="horizontal", hide_index=True)
        st.caption(plain(result.rule, 900))


def best(artifact: Artifact, result: Tuning, one: Point) -> None:
    """Show the best so far with its figures and its download."""
    judged = result.judged
    colour = {Verdict.PASS: "green", Verdict.FAIL: "red"}.get(judged, "orange") if judged else "blue"
    words = f"{judged} on the test half" if judged else "best so far, on the selection samples"
    st.markdown(f":{colour}-badge[{words}] **{plain(one.title)}**")
    facts = [f"{megabytes(one.size or 0)} from {megabytes(result.source.size)}"]
    if one.changed:
        facts.append(f"{one.changed.k:,} of {one.changed.n:,} predictions changed on selection samples")
    st.caption(", ".join(facts))
    if "bundle" in one.files:
        name = f"{safe_stem(artifact.name)}-tuned-portolan.zip"
        download.link("Download the best with its evidence", one.files["bundle"], name, "primary", key="tune-best")


def bears(artifact: Artifact, result: Tuning, ink: str) -> None:
    """Chart the sensitivity of each layer to each change."""
    if not result.heat:
        st.caption(plain(result.heatless or "Not measured yet.", 300))
        return
    key = f"heat-{artifact.id}"
    st.altair_chart(
        heat(result.heat, ink),
        alt="How much the answers change with each change of each layer",
        on_select=lambda: toggle(artifact, key),
        selection_mode="picked",
        key=key,
    )
    st.caption(
        f"Error of the answers as a share of their variance when only one layer is changed, on {result.heat.samples:,} "
        "samples. Click a row to leave that layer unchanged in the next search."
    )


def toggle(artifact: Artifact, key: str) -> None:
    """Leave the clicked layer alone in the next search, or no longer."""
    picked = [point["layer"] for point in st.session_state[key].selection.get("picked", [])]
    before = list(st.session_state.get(keeping(artifact), []))
    for name in dict.fromkeys(picked):
        before = [one for one in before if one != name] if name in before else [*before, name]
    st.session_state[keeping(artifact)] = before
    st.session_state[TOGGLED] = True


def ladder(one: Progress) -> dict[str, str]:
    """Return one ladder as a row."""
    return {
        "approach": plain(one.title),
        "family": plain(one.family),
        "state": f":{LOOKS[one.standing]}-badge[{one.standing.words}]",
        "tried": f"{one.tried} of {one.rungs} steps",
        "within the allowed drop": "" if one.within is None else f"up to step {one.within + 1}",
        "why": plain(one.reason, 200),
    }
