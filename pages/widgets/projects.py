"""A project on the page: its members, its history, and the way of a model into it."""

import datetime

import streamlit as st

from core.domain.artifact import Artifact
from core.domain.person import Role
from core.doors import places
from core.doors.places import Place
from core.doors.workspace import current
from pages.visitor import here, person, place
from pages.widgets import progress
from pages.widgets.text import plain


def copying(artifact: Artifact) -> None:
    """Offer to bring a model into another library of the person's, where they may change something."""
    now = place()
    others = {one.owner: one for one in here() if one.owner != now.owner and one.role.allows(Role.MEMBER)}
    if not others:
        return
    with st.popover("Copy to another library", icon=":material/drive_file_move:", type="tertiary"):
        st.markdown("The model, what it was made from and its reports. A consent to run code is not copied.")
        to = st.selectbox("To", list(others), format_func=lambda owner: others[owner].name, key="copy-to")
        st.button("Copy", key="copy", on_click=progress.attempt, args=(lambda: copy(artifact.id, to),))


def copy(artifact: str, owner: str) -> None:
    """Copy a model, and say where it is now."""
    to = places.named(here(), owner)
    place().copy(artifact, to)
    st.toast(f"Copied to {plain(to.name, 60)}.", icon=":material/check:")


def members(project: Place) -> None:
    """List who is in, and let administrators change that."""
    governs = project.role.allows(Role.ADMINISTRATOR)
    me = person()
    for member in current().store.projects.members(project.owner):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(member.name, 60)}**  {plain(member.email, 80)}", width="stretch")
            st.badge(member.role, color="gray")
            mine = me is not None and member.person == me.id
            if mine or governs:
                st.button(
                    "Leave" if mine else "Remove",
                    key=f"out-{member.person}",
                    type="tertiary",
                    icon=":material/person_remove:",
                    on_click=progress.attempt,
                    args=(lambda member=member: place().put_out(member),),
                )
    if governs:
        letting_in(project)


def letting_in(project: Place) -> None:
    """Ask for an e-mail address and a role."""
    with st.form("let-in", clear_on_submit=True):
        email = st.text_input("E-mail address", help="Of somebody who has signed in here at least once.")
        role = st.segmented_control("Role", list(Role), default=Role.MEMBER, required=True, help=ROLES)
        if st.form_submit_button("Add to the project", icon=":material/person_add:") and role:
            progress.attempt(lambda: place().let_in(email, role))
            st.rerun()


ROLES = "A viewer opens and downloads; a member also brings, starts and deletes; an administrator also says who is in."


def history(project: Place) -> None:
    """Show who did what, newest first."""
    rows = [
        {"When": f"{datetime.datetime.fromtimestamp(deed.at):%Y-%m-%d %H:%M}", "Who": deed.who, "What": deed.text}
        for deed in current().store.projects.deeds(project.owner)
    ]
    st.dataframe(rows, hide_index=True, width="stretch")
