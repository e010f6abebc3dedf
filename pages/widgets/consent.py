"""The owner's word that a file which is a program may be loaded in the sandbox."""

import streamlit as st

from core.domain.artifact import Artifact
from pages.visitor import place
from pages.widgets import progress


def given(artifact: Artifact) -> bool:
    """Say whether the file may be loaded: only a pickle needs its owner's word."""
    return artifact.consented or artifact.format != "pickle"


def ask(artifact: Artifact) -> None:
    """Ask the owner of a pickle, once per file, whether it may be loaded; other files need no consent."""
    if artifact.format != "pickle":
        return
    if artifact.consented:
        st.caption(":material/gavel: You agreed to load this pickle in the sandbox.")
    else:
        st.caption(":material/gavel: A pickle is a program: loading it can run code that its author chose.")
        st.checkbox(
            "I trust this file; load it in the sandbox.",
            key=f"consent-{artifact.id}",
            on_change=agree,
            args=(artifact.id,),
        )


def agree(artifact: str) -> None:
    """Write down that the owner lets a file be loaded."""
    progress.attempt(lambda: place().consent(artifact))
