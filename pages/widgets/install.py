"""Offer to install a group of optional libraries: one click, with its size, and the job while it runs."""

from collections.abc import Callable

import streamlit as st

from core.domain.groups import GROUPS, Private
from core.domain.installation import InstallRequest
from core.domain.job import Job, State
from core.domain.reach import may_install
from core.doors.places import Place
from core.doors.workspace import current
from pages.visitor import place
from pages.widgets import progress
from pages.widgets.text import plain


def offer(ids: list[str]) -> None:
    """Show a button for each group that Portolan can install by itself; the others say their command in their reason."""
    for id in dict.fromkeys(ids):
        group = GROUPS.get(id)
        if isinstance(group, Private) and not group.installed():
            one(group)


def one(group: Private, where: Callable[[], Place] = place) -> None:
    """Show the bar while the group is installed, else the button, and what went wrong the last time; to who may install it."""
    if not (where().governs and may_install(where().owner)):
        st.caption("Whoever runs this server can install it.")
        return
    last = last_job(group, where())
    if last is not None and last.state.active:
        progress.watch(last.id, where)
        return
    if last is not None and last.state is State.FAILED and last.trouble:
        st.caption(f"{plain(last.trouble.message, 400)} {plain(last.trouble.next_step, 200)}")
    st.button(
        f"Install {group.title} ({group.megabytes:,} MB)",
        icon=":material/download:",
        key=f"install-{group.id}",
        help="Installed once for everyone on this machine, in an environment of its own.",
        on_click=begin,
        args=(group, last, where),
    )


def last_job(group: Private, here: Place) -> Job | None:
    """Return the latest installation of a group that was begun in a library."""
    jobs = current().queue.jobs(here.owner)
    return next((job for job in jobs if job.verb == "install" and job.request.group == group.id), None)


def begin(group: Private, last: Job | None, where: Callable[[], Place]) -> None:
    """Submit the job; the one before is named, so that it is not taken for an answer to this one."""
    request = InstallRequest(group.id, last.id if last else None)
    progress.attempt(lambda: where().submit("install", request))
