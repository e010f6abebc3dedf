"""Projects: libraries that several people share, who is in them, and who did what there."""

import streamlit as st

from core.doors.places import Place, begin_project
from pages.visitor import CHOSEN, here, person, place
from pages.widgets import hold, progress, projects
from pages.widgets.text import plain


def show() -> None:
    """Show the chosen project, or the person's projects and the way to a new one."""
    now = place()
    st.title(plain(now.name, 80) if now.shared else "Projects")
    progress.refusal()
    if now.shared:
        one(now)
        return
    every([found for found in here() if found.shared])
    with st.form("new-project", clear_on_submit=True):
        name = st.text_input("Name of a new project", max_chars=80)
        if st.form_submit_button("Create a project", icon=":material/group_add:"):
            progress.attempt(lambda: begin(name))
            st.rerun()


def one(project: Place) -> None:
    """Show the members and the history of a project."""
    hold.notice()
    people, deeds = st.tabs(["Members", "History"])
    with people:
        projects.members(project)
    with deeds:
        projects.history(project)


def every(found: list[Place]) -> None:
    """List projects, each with its way in."""
    if not found:
        st.caption("A project is a library that several people share. You are in none yet.")
    for project in found:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(project.name, 80)}**", width="stretch")
            st.badge(project.role, color="gray")
            st.button("Open", key=f"open-{project.owner}", on_click=enter, args=(project.owner,))


def begin(name: str) -> None:
    """Begin a project and go there."""
    who = person()
    if who is not None:
        enter(begin_project(who, name).owner)


def enter(owner: str) -> None:
    """Work in a project from now on."""
    st.session_state[CHOSEN] = owner


show()
