"""A real download link that looks like a button: the browser streams the file from our route and saves it under its name."""

from typing import Literal

import streamlit as st

from core.doors.routes import links
from core.doors.workspace import current
from pages.visitor import visitor
from pages.widgets import component

_COMPONENT = component.beside(__file__, "portolan_download")


def link(
    label: str, sha256: str, filename: str, style: Literal["primary", "secondary"] = "secondary", key: str | None = None
) -> None:
    """Draw a link that downloads a blob of the visitor's; ``style`` is that of Streamlit's own buttons."""
    if not current().store.holds(visitor(), sha256):
        st.caption(f"{label}: this file is not in your library.")
        return
    name = links.safe_name(filename)
    _COMPONENT(data={"label": label, "url": links.file_link(sha256, name), "filename": name, "style": style}, key=key)
