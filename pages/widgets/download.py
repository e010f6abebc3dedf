"""A real download link that looks like a button: the browser streams the file from our route and saves it under its name."""

from pathlib import Path
from typing import Literal

import streamlit as st

from core.doors.routes import links

_HERE = Path(__file__)
_COMPONENT = st.components.v2.component(
    "portolan_download", **{part: _HERE.with_suffix(f".{part}").read_text("utf-8") for part in ("html", "css", "js")}
)


def link(
    label: str, sha256: str, filename: str, style: Literal["primary", "secondary"] = "secondary", key: str | None = None
) -> None:
    """Draw a link that downloads a blob; ``style`` is that of Streamlit's own buttons."""
    name = links.safe_name(filename)
    _COMPONENT(data={"label": label, "url": links.file_link(sha256, name), "filename": name, "style": style}, key=key)
