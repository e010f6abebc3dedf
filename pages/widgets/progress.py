"""A job on the page: its bar, its words, Cancel, and what went wrong with the next step."""

from collections.abc import Callable

import streamlit as st

from core.domain.errors import PortolanError, Refused, Trouble
from core.domain.job import Job, State
from core.doors.places import Place
from core.doors.workspace import VERBS, current
from pages.visitor import place, visitor
from pages.widgets.text import plain


def begin(work: Callable[[], Job]) -> None:
    """Submit work from a widget's callback and put the job in the address; a refusal waits for the page to say it.

    Callbacks run before anything can interrupt the script, so a click is never lost.
    """
    try:
        st.query_params["job"] = work().id
    except PortolanError as error:
        st.session_state["trouble"] = error.trouble


def attempt(work: Callable[[], object]) -> None:
    """Do something from a widget's callback; a refusal waits for the page to say it."""
    try:
        work()
    except PortolanError as error:
        st.session_state["trouble"] = error.trouble


def refusal() -> None:
    """Say once why the last click began nothing."""
    if trouble := st.session_state.pop("trouble", None):
        st.error(f"{plain(trouble.message, 600)} {plain(trouble.next_step, 600)}", icon=":material/block:")


def watch(job_id: str, where: Callable[[], Place] = place) -> None:
    """Show a job that is not over, refreshed twice a second; the page runs again when it ends."""

    @st.fragment(run_every=0.5)
    def bar() -> None:
        job = current().queue.job(where().owner, job_id)
        if not job.state.active:
            st.rerun()
        with st.container(border=True):
            st.markdown(f"**{plain(job.title)}**")
            st.progress(job.fraction or 0.0, text=job.message or waiting(job))
            st.button("Cancel", icon=":material/close:", key=f"cancel-{job_id}", on_click=cancel, args=(job_id, where))

    bar()


def unfinished() -> None:
    """Lead back to the jobs that still run, or that the server's end interrupted, wherever they were begun."""
    here = st.query_params.get("job")
    for job in current().queue.jobs(visitor()):
        if job.id == here or not (job.state.active or job.state is State.INTERRUPTED):
            continue
        verb = VERBS[job.verb]
        query = {"job": job.id} | ({"model": model} if (model := verb.place(job.request)) else {})
        words = "waiting" if job.state is State.QUEUED else str(job.state)
        st.page_link(verb.page, label=f"{plain(job.title)}: {words}", icon=":material/pending:", query_params=query)


def waiting(job: Job) -> str:
    """Say why nothing moves yet, and about how long it will not."""
    place = current().queue.place(job)
    if place is None:
        return "Starting"
    soon = "" if place.seconds is None else f", {about(place.seconds)}"
    return f"Waiting in the queue: position {place.position:,}{soon}"


def about(seconds: float) -> str:
    """Return a time that is only guessed, as people say it."""
    for unit, length in (("hour", 3600), ("minute", 60)):
        if (number := round(seconds / length)) >= 1:
            return f"about {number:,} {unit}{'s' * (number > 1)}"
    return "less than a minute"


def cancel(job_id: str, where: Callable[[], Place] = place) -> None:
    """Ask the queue to stop the job."""
    attempt(lambda: where().cancel(job_id))


def retry(job_id: str) -> None:
    """Put the job in the queue again and follow it."""
    begin(lambda: place().retry(job_id))


def ended_badly(job: Job) -> None:
    """Show a failed, cancelled or interrupted job with its cause, its next step, and Try again."""
    trouble = job.trouble or Trouble("cancelled", "You cancelled this job.", "Run it again whenever you need it.")
    with st.container(border=True):
        heading = {State.CANCELLED: "Cancelled", State.INTERRUPTED: "Interrupted"}.get(job.state, "This did not work")
        colour = "gray" if job.state is State.CANCELLED else "red"
        st.markdown(f":{colour}-badge[{heading}] **{plain(job.title)}**")
        st.markdown(plain(trouble.message, 600))
        if trouble.next_step:
            st.caption(plain(trouble.next_step, 600))
        with st.container(horizontal=True):
            if trouble.kind != Refused.kind:
                st.button("Try again", icon=":material/refresh:", key=f"retry-{job.id}", on_click=retry, args=(job.id,))
            st.button("Dismiss", type="tertiary", key=f"dismiss-{job.id}", on_click=dismiss)


def dismiss() -> None:
    """Take the job out of the address."""
    st.query_params.pop("job", None)
