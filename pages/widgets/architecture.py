"""The network that a file of weights belongs to: a Python file, run in the sandbox once its owner agrees."""

import streamlit as st

from core.domain.artifact import Artifact
from core.domain.errors import PortolanError
from core.domain.work import Code
from core.doors.workspace import current
from pages.widgets.text import plain

WEIGHTS = ("torch_checkpoint", "safetensors")
"""Formats that hold weights alone."""
MAX_MB = 1


def choose(artifact: Artifact) -> tuple[Code | None, bool]:
    """Ask for the Python file and the owner's word; return both."""
    if artifact.format not in WEIGHTS:
        return None, False
    given = st.file_uploader(
        "Python file that defines the network",
        type=["py"],
        max_upload_size=MAX_MB,
        help="The file defines a subclass of torch.nn.Module, or a function build(). It is not needed if the options name a timm architecture.",
        key=f"code-{artifact.id}",
    )
    if given is None:
        return None, False
    code = Code(stored(given.getvalue()), given.name)
    st.caption(f":material/gavel: {plain(given.name)} is a program: building the network runs its code.")
    agreed = st.checkbox(
        "I trust this file; run it in the sandbox.",
        key=f"run-{artifact.id}-{code.sha256[:12]}",
    )
    return code, agreed


def stored(data: bytes) -> str:
    """Put the file where a child can be given it, and return its hash; say so where there is no room, and stop the page."""
    try:
        with current().store.blobs.writer() as writer:
            writer.write(data)
            return writer.commit().sha256
    except PortolanError as error:
        st.error(f"{error.message} {error.next_step}")
        st.stop()
