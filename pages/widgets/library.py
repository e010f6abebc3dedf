"""A model of the visitor's library: chosen on a page, remembered by the address, named for a verb."""

import streamlit as st

from core.answers.charts.bars import megabytes
from core.domain.artifact import Artifact
from core.domain.errors import NotFound
from core.domain.job import Job, State
from core.doors.workspace import current
from pages.visitor import visitor
from pages.widgets.summary import format_title

SHOWN = (State.QUEUED, State.RUNNING, State.DONE, State.INTERRUPTED)
"""Jobs that a visitor finds again on a model's page without asking for them."""


def choose(found: list[Artifact], words: str | None = None) -> Artifact:
    """Choose a model, the first unless the address names one; ``words`` is the help."""
    by_id = {artifact.id: artifact for artifact in found}
    ids = list(by_id)
    asked = st.query_params.get("model")
    picked = st.selectbox(
        "Model",
        ids,
        index=ids.index(asked) if asked in by_id else 0,
        format_func=lambda id: f"{by_id[id].name} · {format_title(by_id[id].format)} · {megabytes(by_id[id].size)}",
        help=words,
    )
    if picked != asked:
        st.query_params.from_dict({"model": picked})
    return by_id[picked]


def job_of_address() -> Job | None:
    """Return the visitor's job that the address names, or None."""
    try:
        return current().queue.job(visitor(), st.query_params["job"]) if "job" in st.query_params else None
    except NotFound:
        return None
