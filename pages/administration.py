"""Administration: who has how much on this server, what it works at, what must stay, and the end of what somebody has."""

import datetime
from collections.abc import Callable

import streamlit as st

from core.answers.charts.bars import megabytes
from core.domain import person as people
from core.domain import project
from core.domain.allowance import Allowance
from core.domain.belongings import Holding, Task
from core.domain.groups import GROUPS, Private
from core.doors.administration import Desk, retention_days
from core.doors.workspace import current
from core.memory.blobs import GB
from pages.visitor import own, person
from pages.widgets import install, progress
from pages.widgets.text import plain

NAMELESS = "a browser nobody signed in with"


def show(desk: Desk) -> None:
    """Show figures first, then what can be done about them."""
    st.title("Administration")
    progress.refusal()
    held, working, failed = desk.holdings(), desk.at_work(), desk.failed()
    figures(held, working)
    jobs, visitors, holds, groups, troubles = st.tabs(
        ["Jobs at work", "Visitors", "Holds", "Optional groups", "Failed jobs"]
    )
    with jobs:
        at_work(working)
    with visitors:
        having(held)
        allowing(desk, held)
    with holds:
        holding(desk, held)
    with groups:
        optional()
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
        with st.form(f"hold-{whose}", border=False):
            st.selectbox("What", list(models), format_func=models.__getitem__, key=f"held-of-{whose}")
            st.text_input("Reason", help="Only administrators see it.", max_chars=400, key="reason")
            st.form_submit_button("Put on hold", on_click=hold_it, args=(whose,))


def optional() -> None:
    """List the optional groups: whether each is there, its size, and how it is installed; one with an environment of its own by a click."""
    for group in GROUPS.values():
        with st.container(border=True):
            there = group.installed()
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{group.title}**", width="stretch")
                st.caption(f"{group.megabytes:,} MB", width=90)
                st.badge("installed" if there else "not installed", color="green" if there else "gray")
            if there:
                continue
            if isinstance(group, Private):
                install.one(group, own)
            else:
                st.caption("Installed beside Portolan's own libraries. Stop the server, and run:")
                st.code(group.command, language=None)


def row(one: Holding) -> dict[str, object]:
    """Return one visitor as a row for eyes."""
    return {
        "Visitor": one.name or NAMELESS,
        "E-mail": one.email,
        "Models": one.models,
        "Data sets": one.datasets,
        "Jobs": one.jobs,
        "Files": of(megabytes(one.bytes), one.allowed.kept, in_gigabytes),
        "Minutes today": of(f"{one.spent.seconds / 60:,.0f}", one.allowed.minutes, str),
        "Sent today": of(megabytes(one.spent.bytes), one.allowed.sent, in_gigabytes),
        "Last": moment(one.last),
    }


def of(used: str, most: int | None, written: Callable[[int], str]) -> str:
    """Write what is used, and of how much where that is bounded."""
    return used if most is None else f"{used} of {written(most)}"


def allowing(desk: Desk, held: list[Holding]) -> None:
    """Let one person or project have more or less than the settings say."""
    known = [one for one in held if one.visitor.startswith((people.PREFIX, project.PREFIX))]
    if not known:
        return
    names = named(known)
    with st.popover("Change what somebody may use", icon=":material/speed:"):
        whose = st.selectbox("Who", list(names), format_func=names.__getitem__, key="allowed")
        given = desk.own(whose)
        with st.form(f"allow-{whose}", border=False):
            for id, label, value, step in (
                ("minutes", "Processor minutes a day", given.minutes, 1),
                ("sent", "GB sent a day", gigabytes(given.sent), 1.0),
                ("kept", "GB of files", gigabytes(given.kept), 1.0),
            ):
                st.number_input(
                    label, 0 * step, value=value, step=step, key=f"{id}-{whose}", placeholder="As set for everybody"
                )
            st.form_submit_button("Save", on_click=allow, args=(whose,))


def gigabytes(size: int | None) -> float | None:
    """Return bytes as a number to change."""
    return None if size is None else size / GB


def in_gigabytes(size: int) -> str:
    """Write a bound in the unit of the settings."""
    return f"{size / GB:g} GB"


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


def allow(visitor: str) -> None:
    """Keep what somebody may use, if whoever clicked is an administrator still."""
    minutes, sent, kept = (st.session_state[f"{id}-{visitor}"] for id in ("minutes", "sent", "kept"))
    told = Allowance(minutes, *(None if size is None else round(size * GB) for size in (sent, kept)))
    if who := person():
        progress.attempt(lambda: Desk(who).allow(visitor, told))


def hold_it(visitor: str) -> None:
    """Put something on hold, if whoever clicked is an administrator still."""
    which, reason = st.session_state[f"held-of-{visitor}"], st.session_state["reason"]
    if who := person():
        progress.attempt(lambda: Desk(who).hold(visitor, which or None, reason))


def lift(hold: str) -> None:
    """End a hold, if whoever clicked is an administrator still."""
    if who := person():
        progress.attempt(lambda: Desk(who).lift(hold))


if administrator := person():
    show(Desk(administrator))
