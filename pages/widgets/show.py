"""A finished page for people who decide: as a link that anybody may open, or as one file."""

import datetime
from collections.abc import Callable
from urllib.parse import urlsplit

import streamlit as st

from core.domain.artifact import Artifact
from core.domain.errors import PortolanError
from core.domain.job import Job
from core.domain.share import Share
from core.doors.routes import shows
from core.doors.workspace import current
from pages.visitor import place, visitor
from pages.widgets import download, progress
from pages.widgets.text import plain

WANTED = "page-wanted"


def section(artifact: Artifact, job: Job, page: Callable[[], bytes]) -> None:
    """Offer to make the page about a finished job, which ``page`` writes, and list those that were made of this model."""
    with st.expander("Share this result", icon=":material/co_present:"):
        st.caption(
            "Creates one page with these figures and charts that opens without Portolan. "
            "Anyone with its link can read that page, and nothing else of yours, until you revoke the link."
        )
        st.button("Create the page", icon=":material/add_link:", key=f"show-{job.id}", on_click=want, args=(job.id,))
        if st.session_state.get(WANTED) == job.id:
            with st.spinner("Drawing the charts"):
                make(artifact, job, page)
            st.session_state.pop(WANTED, None)
        for share in current().store.shares(visitor(), artifact.id):
            entry(share)


def want(job: str) -> None:
    """Remember the click until the page is made: the run that it begins may be cut short by the next."""
    st.session_state[WANTED] = job


def make(artifact: Artifact, job: Job, page: Callable[[], bytes]) -> None:
    """Write the page and keep it under a link."""
    try:
        place().publish(artifact, job.title, page)
    except PortolanError as error:
        st.error(f"{plain(error.message, 400)} {plain(error.next_step, 400)}", icon=":material/block:")


def entry(share: Share) -> None:
    """Show one page's link with its file, and the way to take it back."""
    address = f"{urlsplit(st.context.url or '')._replace(path=shows.link(share), query='', fragment='').geturl()}"
    st.markdown(f"**{plain(share.title)}**")
    st.code(address, language=None)
    if share.expires is not None:
        st.caption(f"Good until {datetime.datetime.fromtimestamp(share.expires):%Y-%m-%d %H:%M}.")
    with st.container(horizontal=True):
        download.link("Download as one file", share.sha256, "portolan-report.html", key=f"file-{share.id}")
        st.button(
            "Revoke the link",
            icon=":material/link_off:",
            type="tertiary",
            key=f"back-{share.id}",
            on_click=take_back,
            args=(share.id,),
        )


def take_back(id: str) -> None:
    """Stop showing a page; one that is gone already stays gone."""
    progress.attempt(lambda: place().take_back(id))
