"""The owner's word that a file which can carry code may be loaded."""

import streamlit as st

from core.domain.artifact import Artifact
from core.domain.portability import PortabilityRequest
from pages.visitor import place
from pages.widgets import progress


def given(artifact: Artifact, asked: PortabilityRequest) -> bool:
    """Say whether the owner let run what has to: a pickle, or a Python file beside the weights."""
    return asked.subject.consent or (artifact.format != "pickle" and asked.code is None)


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
