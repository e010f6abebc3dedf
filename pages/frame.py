"""The script that the server runs for every visit: frame, navigation and footer around the pages."""

from pathlib import Path

import streamlit as st

from core.domain.person import Role
from core.doors import signin
from core.doors.workspace import current
from pages.visitor import person
from pages.widgets import door
from pages.widgets.chrome import footer

STATIC = Path(__file__).parent / "static"

st.set_page_config(page_title="Portolan", page_icon=str(STATIC / "portolan.png"), layout="wide")
st.html(STATIC / "frame.css")
st.logo(str(STATIC / "portolan.svg"), size="large")

who = person()
shut = who is None and signin.needed()
pages = [
    st.Page("models.py", title="Models", icon=":material/deployed_code:", default=True),
    st.Page("convert.py", title="Convert", icon=":material/swap_horiz:"),
    st.Page("compress.py", title="Compress", icon=":material/compress:"),
    st.Page("migrate.py", title="Migrate", icon=":material/rocket_launch:"),
    st.Page("profile.py", title="Profile", icon=":material/speed:"),
]
if who is not None:
    pages.append(st.Page("projects.py", title="Projects", icon=":material/group:"))
if who is not None and who.role is Role.ADMINISTRATOR:
    pages.append(st.Page("administration.py", title="Administration", icon=":material/admin_panel_settings:"))
page = st.navigation(pages, position="hidden" if shut else "top")
if shut:
    door.closed()
else:
    door.bar(who)
    page.run()
footer(current().sandbox.isolation)
