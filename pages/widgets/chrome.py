"""What stands around every page."""

import streamlit as st

from core.border.jail import Isolation


def ink() -> str:
    """Return the colour of text marks on charts, which do not follow the theme by themselves."""
    return "#edebe8" if st.context.theme.type == "dark" else "#2f2d2b"


def footer(isolation: Isolation) -> None:
    """Say how well uploaded files are walled in on this machine."""
    st.space("large")
    if isolation.full:
        st.caption(
            ":material/shield: Isolation: full. Models are opened only in a locked child process without network."
        )
    else:
        st.caption(
            f":material/gpp_maybe: Isolation: limits only ({isolation.detail}). "
            "Formats that can carry code are refused on this machine."
        )
