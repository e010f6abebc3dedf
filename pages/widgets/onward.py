"""The next step: where a finished result can go from here."""

import streamlit as st

from core.domain.errors import NotFound
from core.doors.workspace import current
from core.verbs.compress import FORMAT
from pages.visitor import visitor

PLACES = {
    "compress.py": ("Compress it", ":material/compress:"),
    "profile.py": ("Profile it", ":material/speed:"),
    "migrate.py": ("Take it to production", ":material/rocket_launch:"),
    "convert.py": ("Convert it", ":material/swap_horiz:"),
}


def section(made: str, here: str) -> None:
    """Lead on to the pages where an artifact of the visitor can go, except the page that it is on."""
    try:
        found = current().store.artifact(visitor(), made)
    except NotFound:  # it was removed
        return
    with st.container(horizontal=True, vertical_alignment="center", key="onward"):
        st.markdown("**Next**", width="content")
        for page, (words, icon) in PLACES.items():
            if page != here and (page != "compress.py" or found.format == FORMAT):
                st.page_link(page, label=words, icon=icon, query_params={"model": made}, width="content")
