"""Administration: who has how much on this server, what it works at, what must stay, and the end of what somebody has."""

import datetime

import streamlit as st

from core.answers.charts.bars import megabytes
from core.domain.belongings import Holding, Task
from core.doors.administration import Desk, retention_days
from core.doors.workspace import current
from pages.visitor import person
from pages.widgets import progress
from pages.widgets.text import plain

NAMELESS = "a browser nobody signed in with"


def show(desk: Desk) -> None:
    """Show figures first, then what can be done about them."""
    st.title("Administration")
    progress.refusal()
    held, working, failed = desk.holdings(), desk.at_work(), desk.failed()
    figures(held, working)
    jobs, visitors, holds, troubles = st.tabs(["Jobs at work", "Visitors", "Holds", "Failed jobs"])
    with jobs:
        at_work(working)
    with visitors:
        having(held)
    with holds:
        holding(desk, held)
    with troubles:
        st.dataframe([described(task) for task in failed], hide_index=True, width="stretch")


def figures(held: list[Holding], working: list[Task]) -> None:
    """Show the disk, the queue and the visitors in four numbers."""
    blobs = current().store.blobs
    running = sum(task.state == "running" for task in working)
    with st.grid(4, min_column_width=160):
        st.metric("Files", megabytes(blobs.used), border=True)
        st.metric(
            "Room left", megabytes(blobs.room()), border=True, help="By the disk and the quota, less the reserve."
        )
        st.metric("Jobs running", running, border=True, help=f"{len(working) - running} wait.")
        st.metric("Visitors", len(held), border=True)
    days = retention_days()
    st.caption(
        f"Models, data sets and jobs are deleted after {days:g} days." if days else "Nothing is deleted automatically."
    )


def at_work(working: list[Task]) -> None:
    """List the jobs that run or wait, each with the way to stop it."""
    if not working:
        st.caption("No job runs or waits.")
    for task in working:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(task.title)}**  {plain(task.name or NAMELESS, 60)}", width="stretch")
            st.badge(task.state, color="gray")
            st.caption(plain(task.message), width=200)
            st.button("Stop", icon=":material/close:", key=f"stop-{task.id}", on_click=stop, args=(task,))


def having(held: list[Holding]) -> None:
    """List what each visitor has, and let one of them be forgotten."""
    if not held:
        st.caption("Nobody has anything here.")
        return
    st.dataframe([row(one) for one in held], hide_index=True, width="stretch")
    names = named(held)
    with st.popover("Delete everything of a visitor", icon=":material/delete_forever:", type="tertiary"):
        st.markdown("Rows, names, events and files are deleted permanently; files that others have too stay with them.")
        chosen = st.selectbox("Visitor", list(names), format_func=names.__getitem__, key="forgotten")
        sure = st.checkbox("I understand that this cannot be undone.", key=f"sure-{chosen}")
        st.button("Delete everything", key="forget", disabled=not sure, on_click=forget, args=(chosen,))


def named(held: list[Holding]) -> dict[str, str]:
    """Return what visitors are called in a list to choose from, by id."""
    return {
        one.visitor: f"{one.name or NAMELESS} · {one.email or one.visitor[:9]} · {megabytes(one.bytes)}" for one in held
    }


def holding(desk: Desk, held: list[Holding]) -> None:
    """List what is on hold, each with the way to lift it, and let something be put on hold."""
    names = named(held)
    st.caption("What is on hold stays, whoever would delete it: retention, its owner, a project's members, or you.")
    for hold in desk.holds():
        models = {model.id: model.name for model in desk.models(hold.visitor)}
        what = plain(models.get(hold.artifact, "A model"), 60) if hold.artifact else "Everything"
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{what}** of {plain(names.get(hold.visitor, NAMELESS), 80)}", width="stretch")
            st.caption(plain(f"{hold.sentence} {hold.reason}", 500))
            st.button("Lift", icon=":material/lock_open:", key=f"lift-{hold.id}", on_click=lift, args=(hold.id,))
    if not names:
        return
    with st.popover("Put on hold", icon=":material/gavel:"):
        whose = st.selectbox("Whose", list(names), format_func=names.__getitem__, key="held")
        models = {"": "Everything", **{model.id: model.name for model in desk.models(whose)}}
        which = st.selectbox("What", list(models), format_func=models.__getitem__, key=f"held-of-{whose}")
        st.text_input("Reason", help="Only administrators see it.", max_chars=400, key="reason")
        st.button("Put on hold", key="hold", on_click=hold_it, args=(whose, which or None))


def row(one: Holding) -> dict[str, object]:
    """Return one visitor as a row for eyes."""
    return {
        "Visitor": one.name or NAMELESS,
        "E-mail": one.email,
        "Models": one.models,
        "Data sets": one.datasets,
        "Jobs": one.jobs,
        "Files": megabytes(one.bytes),
        "Last": moment(one.last),
    }


def described(task: Task) -> dict[str, object]:
    """Return one job as a row for eyes."""
    return {
        "Began": moment(task.began),
        "Visitor": task.name or NAMELESS,
        "Job": task.title,
        "State": task.state,
        "Why": task.message,
    }


def moment(at: float) -> str:
    """Write a time as people read it."""
    return f"{datetime.datetime.fromtimestamp(at):%Y-%m-%d %H:%M}"


def stop(task: Task) -> None:
    """Stop a job, if whoever clicked is an administrator still."""
    if who := person():
        progress.attempt(lambda: Desk(who).stop(task))


def forget(visitor: str) -> None:
    """Delete everything of a visitor, if whoever clicked is an administrator still."""
    if who := person():
        progress.attempt(lambda: Desk(who).forget(visitor))


def hold_it(visitor: str, artifact: str | None) -> None:
    """Put something on hold, if whoever clicked is an administrator still."""
    if who := person():
        progress.attempt(lambda: Desk(who).hold(visitor, artifact, st.session_state["reason"]))


def lift(hold: str) -> None:
    """End a hold, if whoever clicked is an administrator still."""
    if who := person():
        progress.attempt(lambda: Desk(who).lift(hold))


if administrator := person():
    show(Desk(administrator))
