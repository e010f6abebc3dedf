"""Say that something is on hold, to those whom it concerns."""

import streamlit as st

from core.doors.workspace import current
from pages.visitor import visitor
from pages.widgets.text import plain


def notice(artifact: str = "") -> None:
    """Show the hold on one model, or on the whole library; why, an administrator knows."""
    hold = current().store.held.on(visitor(), artifact)
    if hold is not None:
        st.info(
            f"{plain(hold.sentence, 200)} Nothing of it can be deleted until the hold is lifted.",
            icon=":material/gavel:",
        )
