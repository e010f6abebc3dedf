"""The network that a file of weights belongs to: a Python file, run in the sandbox once its owner agrees."""

import streamlit as st

from core.domain.artifact import Artifact
from core.domain.errors import PortolanError
from core.domain.work import Code
from core.doors.workspace import current
from pages.widgets import upload
from pages.widgets.text import plain

WEIGHTS = ("torch_checkpoint", "safetensors")
"""Formats that hold weights alone."""
MAX_MB = 1
WORDS = "a subclass of torch.nn.Module or a function build(); not needed if the options name a timm architecture"


def choose(artifact: Artifact) -> tuple[Code | None, bool]:
    """Ask for the Python file and the owner's word; return both."""
    if artifact.format not in WEIGHTS:
        return None, False
    kept = f"code-{artifact.id}"
    brought = upload.text_zone(
        "Drop the Python file that defines the network", WORDS, [".py"], MAX_MB, key=f"{kept}-zone"
    )
    given: tuple[str, str] | None = brought or st.session_state.get(kept)
    if given is None:
        return None, False
    st.session_state[kept] = given
    name, text = given
    code = Code(stored(text.encode("utf-8", "replace")), name)
    st.caption(f":material/gavel: {plain(name)} is a program: building the network runs its code.")
    st.button(
        "Do without it", icon=":material/close:", type="tertiary", key=f"{kept}-forget", on_click=forget, args=(kept,)
    )
    agreed = st.checkbox(
        "I trust this file; run it in the sandbox.",
        key=f"run-{artifact.id}-{code.sha256[:12]}",
    )
    return code, agreed


def forget(kept: str) -> None:
    """Let go of the file."""
    st.session_state.pop(kept, None)


def stored(data: bytes) -> str:
    """Put the file where a child can be given it, and return its hash; say so where there is no room, and stop the page."""
    try:
        with current().store.blobs.writer() as writer:
            writer.write(data)
            return writer.commit().sha256
    except PortolanError as error:
        st.error(f"{error.message} {error.next_step}")
        st.stop()
