"""The way of every page about a model: choose one, say what is wanted, follow the job, read what came of it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.domain.artifact import Artifact
from core.domain.job import Job, State
from core.doors.workspace import VERBS, current
from pages.visitor import visitor
from pages.widgets import library, progress


@dataclass(frozen=True)
class Page:
    """What is particular to a page: its title, the words where nothing is yet, and how each of its verbs shows a finished job."""

    title: str
    no_model: tuple[str, str]
    """A heading and a sentence where the visitor has no model for this page."""

    no_job: tuple[str, str]
    """A heading and a sentence on what will stand where the outcome is."""

    shows: dict[str, Callable[[Artifact, Job], None]]
    """By verb, in which jobs of this page are looked for."""

    live: frozenset[str] = frozenset()
    """Verbs whose jobs are shown by their own widget from the start."""

    def jobs(self, artifact: Artifact) -> list[Job]:
        """Return the visitor's jobs of this page on a model, newest first."""
        return [
            job
            for job in current().queue.jobs(visitor())
            if job.verb in self.shows and VERBS[job.verb].place(job.request) == artifact.id
        ]


def choose(page: Page, found: list[Artifact], words: str | None = None) -> Artifact | None:
    """Draw the title with the choice of a model beside it, or where to begin; say once why the last click began nothing.

    Returns None where there is no model.
    """
    title, choice = st.columns([1, 3], vertical_alignment="center")
    title.title(page.title)
    progress.refusal()
    if found:
        with choice:
            return library.choose(found, words)
    heading, sentence = page.no_model
    with st.container(border=True, horizontal_alignment="center"):
        st.markdown(f"**:material/inbox: {heading}**", text_alignment="center")
        st.caption(sentence, text_alignment="center")
        with st.container(horizontal=True, horizontal_alignment="center"):
            st.page_link("models.py", label="Add a model", icon=":material/arrow_back:")
    return None


def shown(jobs: Sequence[Job], unasked: Sequence[Job]) -> Job | None:
    """Return the job in the address if it is one of these, else the last of ``unasked`` that is worth finding again."""
    asked = library.job_of_address()
    if asked is not None and any(asked.id == job.id for job in jobs):
        return asked
    return next((job for job in unasked if job.state in library.SHOWN), None)


def plan(words: str, opened: bool) -> AbstractContextManager[Any]:
    """Return where the form stands: open as long as it is what the page is for, then under one line of words."""
    return st.container() if opened else st.expander(words, icon=":material/tune:")


def columns() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
    """Return the narrow column for the form and the wide one for the outcome."""
    plan, result = st.columns([1, 2], gap="large")
    return plan, result


def outcome(page: Page, artifact: Artifact, job: Job | None) -> None:
    """Show the job, or what came of it, or what will stand here."""
    if job is None:
        title, sentence = page.no_job
        with st.container(border=True):
            st.markdown(f"**{title}**")
            st.caption(sentence)
    elif job.verb in page.live:
        page.shows[job.verb](artifact, job)
    elif job.state.active:
        progress.watch(job.id)
    elif job.state is not State.DONE or job.result is None:
        progress.ended_badly(job)
    else:
        page.shows[job.verb](artifact, job)
