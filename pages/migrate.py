"""Migrate: five steps from a model file to a model that answers elsewhere, each with a report that stays."""

from collections.abc import Callable

import streamlit as st

from core.domain.artifact import Artifact
from core.domain.job import Job, State
from core.doors.workspace import current
from core.targets import TARGETS
from pages import scaffold
from pages.visitor import visitor
from pages.widgets import assessing, evidence, library, packaging, serving
from pages.widgets.architecture import WEIGHTS
from pages.widgets.chrome import ink

STEPS: dict[str, tuple[str, Callable[[scaffold.Page, Artifact, list[Job]], None]]] = {
    "assess": ("1 Assess", assessing.step),
    "convert": ("2 Export", packaging.export),
    "adapt": ("3 Adapt", packaging.adapt),
    "migrate": ("4 Test", packaging.test),
    "load": ("5 Deploy", serving.step),
}


def page() -> None:
    """Choose a model and walk the steps; model, target and step stand in the address, so a reload comes back to them."""
    artifact = scaffold.choose(PAGE, current().store.artifacts(visitor()))
    if artifact is None:
        return
    if artifact.format in WEIGHTS:
        weights_alone(artifact)
        return
    jobs = PAGE.jobs(artifact)
    step = chosen_step(jobs)
    STEPS[step][1](PAGE, artifact, jobs)


def chosen_step(jobs: list[Job]) -> str:
    """Draw the steps with a mark on those that are done, and return the one that the address names."""
    done = {job.verb for job in jobs if job.state is State.DONE}
    if st.query_params.get("step") not in STEPS:
        asked = library.job_of_address()
        st.query_params["step"] = asked.verb if asked is not None and asked.verb in STEPS else next(iter(STEPS))
    if st.session_state.get("step") != st.query_params["step"]:
        st.session_state["step"] = st.query_params["step"]
    st.pills(
        "Step",
        list(STEPS),
        required=True,
        format_func=lambda id: f"{STEPS[id][0]}{' :material/check:' if id in done else ''}",
        key="step",
        on_change=go,
        label_visibility="collapsed",
        wrap=True,
    )
    return st.query_params["step"]


def go() -> None:
    """Put the chosen step into the address; the job there belongs to another."""
    st.query_params["step"] = str(st.session_state["step"])
    st.query_params.pop("job", None)


def weights_alone(artifact: Artifact) -> None:
    """Say what a file of weights needs first."""
    with st.container(border=True):
        st.markdown("**This file contains only weights**")
        st.caption("Convert it with its architecture to PyTorch (.pt2) first; that file can be migrated.")
        st.page_link(
            "convert.py", label="Convert", icon=":material/swap_horiz:", query_params={"model": artifact.id}
        )  # fmt: skip


PAGE = scaffold.Page(
    "Migrate",
    no_model=("No model to migrate yet", "Add a file of your own or open a sample first."),
    no_job=(
        "The assessment appears here",
        "Portolan reads what the file depends on without running it, and asks every engine that is installed whether it "
        f"takes each operator: {len(TARGETS)} targets, each with the effort, what stands in the way, and what to do.",
    ),
    shows={
        "assess": lambda artifact, job: assessing.show(job.result),
        "convert": lambda artifact, job: evidence.conversion(job.result, str(job.made), ink()),
        "migrate": lambda artifact, job: packaging.show(job.result),
        "load": lambda artifact, job: serving.show(job.result),
    },
)

page()
