"""The data set on which answers are compared and quality is measured."""

from dataclasses import replace

import streamlit as st

from core.domain.artifact import Artifact
from core.domain.dataset import StoredDataset
from core.domain.job import Job
from core.domain.split import By, Split
from core.domain.task import Task
from core.domain.work import Data
from core.doors.workspace import current
from core.verbs import task
from pages.visitor import visitor
from pages.widgets import upload

NOTHING = ""
BROUGHT = "data-brought-{}"
"""Under it the session keeps the hash of the data set that was brought last for a model."""


def choose(artifact: Artifact, job: Job | None) -> Data | None:
    """Choose a data set of the visitor, or bring one; returns what a verb needs, or None. It begins with that of the job on the page."""
    found = current().store.datasets(visitor())
    by_hash = {one.sha256: one for one in found}
    choices = [*by_hash, NOTHING]
    picked = st.selectbox(
        "Test data",
        choices,
        index=choices.index(first(artifact, job, found)),
        format_func=lambda sha256: "None: random and edge inputs only" if not sha256 else label(by_hash[sha256]),
        help="The model is also compared on your own samples and, with labels, its accuracy is measured.",
        # A new key for each set that was brought: under an old one the choice made before would stand, and only look otherwise.
        key=f"data-{artifact.id}-{len(found)}-{st.session_state.get(BROUGHT.format(artifact.id))}",
    )
    beside = st.container(horizontal=True)
    with beside, st.popover("Add test data", icon=":material/upload:", type="tertiary"):
        answer = upload.drop_zone(
            "Drop a data set",
            ".npz with x and y, .csv / .jsonl / .parquet with a label column, or a .zip of pictures in a folder for each class",
            "/api/data",
            key="data-upload",
            known=st.session_state.get(BROUGHT.format(artifact.id)) or "",
        )
        if answer:
            st.session_state[BROUGHT.format(artifact.id)] = answer.get("sha256")
            st.rerun()
    if not picked:
        return None
    one = by_hash[picked]
    with beside:
        classes, cut = order(artifact, picked, job), split(artifact, picked, job)
    data = Data(one.sha256, one.name, one.label, classes=classes, split=cut)
    said = task.declared(current().store, visitor(), artifact.id)
    return replace(data, task=said if data.raw or said is None else of_inputs(said))


def of_inputs(said: Task) -> Task | None:
    """Return what a task says of samples that are inputs already: how answers are judged."""
    return Task(metric=said.metric) if said.metric else None


def order(artifact: Artifact, picked: str, job: Job | None) -> tuple[str, ...]:
    """Return the labels in the order of the model's classes, where their owner says so; it begins with that of the job on the page."""
    used = job.request.data if job is not None else None
    with st.popover("Order of the classes", icon=":material/sort:", type="tertiary"):
        words = st.text_input(
            "Labels in the order of the model's classes",
            ", ".join(used.classes) if used and used.sha256 == picked else "",
            placeholder="low, mid, high",
            help="Needed only where labels are names, or numbers that do not begin at 0, and the model answers with class numbers.",
            key=f"classes-{artifact.id}-{picked}",
        )
    return tuple(name.strip() for name in words.split(",") if name.strip())


def split(artifact: Artifact, picked: str, job: Job | None) -> Split | None:
    """Return by which column the halves are cut, where the owner names one; it begins with that of the job on the page."""
    used = (
        job.request.data.split if job is not None and job.request.data and job.request.data.sha256 == picked else None
    )
    with st.popover("Split of the samples", icon=":material/call_split:", type="tertiary"):
        ways = {
            None: "Half for the test, at random",
            By.GROUP: "At random, groups kept whole",
            By.TIME: "The later half for the test",
        }
        by = st.radio(
            "Split of the samples",
            list(ways),
            index=list(ways).index(used.by if used else None),
            format_func=ways.__getitem__,
            key=f"split-{artifact.id}-{picked}",
            label_visibility="collapsed",
        )
        column = st.text_input(
            "Column with the groups or the times",
            used.column if used else "",
            placeholder="patient" if by is not By.TIME else "date",
            disabled=by is None,
            help="All samples of a group, such as one patient, go into the same half. For a zip of pictures, name a column of its labels.csv.",
            key=f"split-column-{artifact.id}-{picked}",
        )
        if by is not None and not column.strip():
            st.caption("Split at random until you name a column.")
    return Split(column.strip(), by) if by is not None and column.strip() else None


def first(artifact: Artifact, job: Job | None, found: list[StoredDataset]) -> str:
    """Return the data set to begin with: the one just brought, that of the job, the sample's own, or none."""
    sample, brought = root_sample(artifact), st.session_state.get(BROUGHT.format(artifact.id))
    used = job.request.data.sha256 if job is not None and job.request.data else None
    own = (one.sha256 for one in found if sample is not None and one.sample == sample)
    here = {one.sha256 for one in found}
    return next((one for one in (brought, used, *own) if one in here), NOTHING)


def label(dataset: StoredDataset) -> str:
    """Name a data set with the sample that it belongs to."""
    return f"{dataset.name} of the sample {dataset.sample}" if dataset.sample else dataset.name


def root_sample(artifact: Artifact) -> str | None:
    """Return the sample that a model descends from, if any."""
    return current().store.lineage(visitor(), artifact.id)[0].sample
