"""Who is looking at the page: the browser's cookie, or a random identity for this session where there is none."""

import streamlit as st

from core.doors.routes import visitors


def visitor() -> str:
    """Return the visitor whose rows the page may show; asked once and kept for the session."""
    if "visitor" not in st.session_state:
        token = st.context.cookies.get(visitors.COOKIE)
        st.session_state["visitor"] = visitors.identity(token) or visitors.new_identity()
    return str(st.session_state["visitor"])


def remembered() -> bool:
    """Say whether this visitor will be known again after a reload; uploads need that."""
    return visitor().startswith("v")
