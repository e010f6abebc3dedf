"""Profile: choose a model, see what it costs to hold, to start and to ask, and under which conditions that was measured."""

import os
from dataclasses import replace
from functools import partial

import streamlit as st

from core.answers import report
from core.domain.artifact import Artifact
from core.domain.job import Job, State
from core.domain.profile import ProfileRequest
from core.domain.work import Subject
from core.doors.workspace import current
from core.runtimes import cannot_run
from core.verbs.profile import MOST_SAMPLES
from pages import scaffold
from pages.visitor import place, visitor
from pages.widgets import (
    architecture,
    consent,
    cost,
    factors,
    onward,
    progress,
    report_card,
    show,
    side_by_side,
    testdata,
    training,
    versus,
)
from pages.widgets.chrome import ink
from pages.widgets.text import plain

WAYS = {
    "Report card": "profile",
    "Compare": "versus",
    "Runtimes": "side_by_side",
    "Factors": "factors",
    "Training": "training",
}
"""What can be asked, and the verb that answers it."""
FORMS = {"Compare": versus, "Runtimes": side_by_side, "Factors": factors, "Training": training}
"""The widgets with a form of their own."""


def page() -> None:
    """Tell the story: which model, on which data; then the job; then the report card."""
    artifact = scaffold.choose(PAGE, current().store.artifacts(visitor()))
    if artifact is None:
        return
    jobs = PAGE.jobs(artifact)
    job = scaffold.shown(jobs, jobs)
    how = "" if unfit(artifact) else way(artifact, job)
    with scaffold.plan("Measure again, or with other settings", opened=job is None or WAYS.get(how) != job.verb):
        form(artifact, job, how)
    scaffold.outcome(PAGE, artifact, job)
    if job is not None and job.state is State.DONE and job.verb == "profile":
        show.section(artifact, job, partial(report_on, artifact, job, jobs))


def way(artifact: Artifact, job: Job | None) -> str:
    """Ask what to see, beginning with what the job on the page shows."""
    begun = next((way for way, verb in WAYS.items() if job is not None and job.verb == verb), "Report card")
    key = f"how-{artifact.id}-{begun}"
    return str(st.segmented_control("What to see", list(WAYS), default=begun, required=True, key=key))


def form(artifact: Artifact, job: Job | None, how: str) -> None:
    """Ask for data, the samples of a call and the threads, and submit; a model that nothing here runs is told why."""
    if reason := unfit(artifact):
        st.markdown("**This file cannot be profiled here.**")
        st.caption(plain(reason, 400))
        st.page_link(
            "convert.py", label="Convert it", icon=":material/swap_horiz:", query_params={"model": artifact.id}
        )
        return
    if how in FORMS:
        FORMS[how].form(artifact, job)
        return
    data = testdata.choose(artifact, job)
    used = job.request if job is not None and isinstance(job.request, ProfileRequest) else None
    with st.container(horizontal=True):
        batch = st.number_input(
            "Samples in a call", 1, MOST_SAMPLES, used.batch if used else 1, key=f"batch-{artifact.id}"
        )
        threads = st.number_input(
            "Threads", 1, os.cpu_count() or 1, used.threads if used else 1, key=f"threads-{artifact.id}"
        )
    consent.ask(artifact)
    request = ProfileRequest(Subject.of(artifact), data, int(batch), int(threads))
    done = job is not None and job.state is State.DONE and job.verb == "profile"
    again = done and job is not None and replace(job.request, after=None, curves=False) == request
    st.button(
        "Measure again" if again else "Profile",
        type="secondary" if done else "primary",
        icon=":material/speed:",
        disabled=not consent.given(artifact),
        width="stretch",
        on_click=progress.begin,
        args=(lambda: place().submit("profile", replace(job.request, after=job.id) if again and job else request),),
    )
    st.caption("About half a minute. One measurement at a time runs on this machine; others wait in the queue.")


def report_on(artifact: Artifact, job: Job, jobs: list[Job]) -> bytes:
    """Write the page about a report card, with the newest run in other runtimes, if there is one."""
    beside = (one.result for one in jobs if one.verb == "side_by_side" and one.state is State.DONE)
    return report.profile(artifact.name, job.result, next(beside, None))


def unfit(artifact: Artifact) -> str | None:
    """Return why nothing here runs the file by itself, or None."""
    if artifact.format in architecture.WEIGHTS:
        return "It holds weights alone. Convert it with its architecture first, and profile the result."
    return cannot_run(artifact.format)


def show_card(artifact: Artifact, job: Job) -> None:
    """Show the report card, and below it what that comes to in money and in real time."""
    report_card.show(artifact, job, ink())
    onward.section(artifact.id, "profile.py")
    cost.section(artifact, job.result)


PAGE = scaffold.Page(
    "Profile",
    no_model=("No model to profile yet", "Add a file of your own or open a sample first."),
    no_job=(
        "The report card appears here",
        "Portolan opens the file in fresh processes and measures the time of a call, the memory that it takes and how "
        "long it needs to start, each with its spread.",
    ),
    shows={
        "profile": show_card,
        "versus": lambda artifact, job: versus.show(job),
        "side_by_side": lambda artifact, job: side_by_side.show(job, ink()),
        "factors": lambda artifact, job: factors.show(job, ink()),
        "training": lambda artifact, job: training.show(artifact, job.result, ink()),
    },
)

page()
