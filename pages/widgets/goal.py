"""A goal instead of a technique: the technique that the model should begin with."""

import streamlit as st

from core.domain.artifact import Artifact
from core.domain.ingestion import Ingested
from core.domain.technique import Technique
from core.domain.tuning import Goal
from core.doors.workspace import current
from core.verbs import goals
from pages.visitor import visitor

GOALS = {"Smaller file": Goal.SIZE, "Faster answers": Goal.LATENCY}


def recommended(artifact: Artifact, words: str, has_data: bool) -> Technique | None:
    """Show the technique to begin with for a goal; None where nothing here reaches it."""
    reports = current().store.reports(visitor(), artifact.id, "summary")
    chosen = goals.beginning(reports[0].read(Ingested).summary, GOALS[words], has_data) if reports else None
    with st.container(border=True):
        if chosen is None:
            st.markdown("**Nothing to recommend**")
            st.caption(
                "No technique is known here to reach this goal for models of this kind. "
                "Choose one yourself, or search for the best trade-off."
            )
        else:
            st.markdown(f":material/recommend: **{chosen.title}**")
            st.caption(chosen.sentence)
    return chosen
