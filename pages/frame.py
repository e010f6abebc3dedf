"""The script that the server runs for every visit: frame, navigation and footer around the pages."""

from pathlib import Path

import streamlit as st

from core.doors.workspace import current
from pages.widgets.chrome import footer

st.set_page_config(page_title="Portolan", page_icon=str(Path(__file__).parent / "static/portolan.png"), layout="wide")

st.navigation(
    [
        st.Page("models.py", title="Models", icon=":material/deployed_code:", default=True),
        st.Page("convert.py", title="Convert", icon=":material/swap_horiz:"),
        st.Page("compress.py", title="Compress", icon=":material/compress:"),
    ],
    position="top",
).run()
footer(current().sandbox.isolation)
