"""Where a model can go: one tile a target, coloured by what became of it, and the figures of all of them in a table."""

from collections.abc import Callable

import streamlit as st

from core.answers.charts.bars import megabytes
from core.domain.artifact import Artifact
from core.domain.job import Job, State
from core.domain.portability import Attempt, Portability, PortabilityRequest, Standing
from core.doors.workspace import current
from core.verbs.portability import conversion
from pages.visitor import place, visitor
from pages.widgets import progress
from pages.widgets.summary import format_title
from pages.widgets.text import plain, small

LOOKS = {
    Standing.WAITING: ("gray", "schedule"),
    Standing.TRYING: ("blue", "autorenew"),
    Standing.PROVEN: ("green", "verified"),
    Standing.UNPROVEN: ("orange", "help"),
    Standing.WRITTEN: ("blue", "inventory_2"),
    Standing.DIFFERS: ("red", "dangerous"),
    Standing.REFUSED: ("orange", "block"),
    Standing.MISSING: ("gray", "extension_off"),
    Standing.NO_ROUTE: ("gray", "link_off"),
}
SECONDS = 0.7


def section(artifact: Artifact, request: PortabilityRequest, ready: bool) -> None:
    """Show what is known of every target, or offer to try them; ``ready`` says whether the file may be loaded."""
    job = last(artifact)
    active = job is not None and job.state.active

    @st.fragment(run_every=SECONDS if active else None)
    def body() -> None:
        now = current().queue.job(visitor(), job.id) if job is not None else None
        if active and now is not None and not now.state.active:
            st.rerun()
        with st.container(border=True, key="matrix"):
            heading(now, request, ready)
            if now is not None:
                walk(now)

    body()


def last(artifact: Artifact) -> Job | None:
    """Return the newest walk over all targets of this model."""
    jobs = current().queue.jobs(visitor())
    return next(
        (job for job in jobs if job.verb == "portability" and job.request.subject.artifact == artifact.id), None
    )


def heading(job: Job | None, request: PortabilityRequest, ready: bool) -> None:
    """Say what this is, and how far it is; offer what can be done now."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(width="content", gap="xsmall"):
            st.markdown("**Where can it go?**")
            st.caption(sentence(job))
        action(job, request, ready)


def sentence(job: Job | None) -> str:
    """Return one line on the walk."""
    if job is None or job.result is None:
        return "Every target is actually converted and compared; where that is not possible, the reason is given."
    result: Portability = job.result
    standings = [attempt.standing for attempt in result.attempts]
    ways = [standing for standing in standings if standing is not Standing.NO_ROUTE]
    over = sum(standing.over for standing in ways)
    data = f", compared on {plain(result.data.name, 60)} too" if result.data else ""
    how = {
        State.CANCELLED: " Cancelled: the results so far are kept.",
        State.INTERRUPTED: " The server stopped in the meantime.",
    }
    tried = "" if over == len(ways) else f", {over} tried"
    return f"{result.proven} of {len(ways)} targets proven{tried}{data}.{how.get(job.state, '')}"


def action(job: Job | None, request: PortabilityRequest, ready: bool) -> None:
    """Draw the one button that makes sense now."""
    if job is not None and job.state.active:
        st.button("Stop trying", icon=":material/close:", key="matrix-cancel", on_click=progress.cancel, args=(job.id,))
    elif job is not None and job.state.repeatable:
        again = st.button(
            "Go on",
            icon=":material/resume:",
            key="matrix-again",
            on_click=start,
            args=(lambda: place().retry(job.id),),
        )
        rerun(again)
    elif job is None or job.request != request:
        begun = st.button(
            "Try every target" if job is None else "Try again with this choice",
            icon=":material/travel_explore:",
            key="matrix-start",
            disabled=not ready,
            on_click=start,
            args=(lambda: place().submit("portability", request),),
        )
        rerun(begun)


def start(work: Callable[[], Job]) -> None:
    """Submit the walk; the address keeps the conversion that it shows."""
    asked = st.query_params.get("job")
    progress.begin(work)
    if asked is None:
        st.query_params.pop("job", None)
    else:
        st.query_params["job"] = asked


def rerun(pressed: bool) -> None:
    """Run the whole page after a press inside a part of it."""
    if pressed:
        st.rerun()


def walk(job: Job) -> None:
    """Show the bar while it runs, the tiles, and the table of figures and reasons."""
    if job.state.active:
        st.progress(job.fraction or 0.0, text=plain(job.message or progress.waiting(job), 200))
    elif job.trouble is not None and job.state is State.FAILED:
        st.error(f"{plain(job.trouble.message, 600)} {plain(job.trouble.next_step, 600)}", icon=":material/block:")
    attempts = list(job.result.attempts) if job.result else []
    if not attempts:
        return
    with st.container(horizontal=True, gap="xsmall"):
        for attempt in attempts:
            if attempt.standing is not Standing.NO_ROUTE:
                tile(job, attempt)
    with st.expander("Figures and reasons", icon=":material/table:"):
        table(attempts)


def tile(job: Job, attempt: Attempt) -> None:
    """Draw one target; a press makes its conversion the current one, which the store answers at once."""
    colour, icon = LOOKS[attempt.standing]
    pressed = st.button(
        f":{colour}[:material/{icon}:] {plain(attempt.title)}",
        key=f"matrix-{attempt.target}",
        help=summary(attempt),
        disabled=not attempt.standing.usable,
        on_click=choose,
        args=(job, attempt),
    )
    rerun(pressed)


def choose(job: Job, attempt: Attempt) -> None:
    """Make a target's conversion the current one, in the form too."""
    st.session_state[f"to-{job.request.subject.artifact}"] = attempt.target
    wanted = conversion(job.request, attempt)
    progress.begin(lambda: place().submit("convert", wanted))


def summary(attempt: Attempt) -> str:
    """Say in one line where a target stands."""
    return " · ".join([str(attempt.standing).capitalize(), *figures(attempt)]) + (
        f". {plain(attempt.reason, 300)}" if attempt.reason else ""
    )


def figures(attempt: Attempt) -> list[str]:
    """Return the figures of a proof in words."""
    words = [f"{attempt.samples:,} samples"] if attempt.samples else []
    words += [f"largest difference {small(attempt.max_abs)}"] if attempt.max_abs is not None else []
    return words + ([megabytes(attempt.size)] if attempt.size else [])


def table(attempts: list[Attempt]) -> None:
    """List every target with its figures, and below it why those that are not proven are not, with the next step."""
    reachable = [one for one in attempts if one.standing is not Standing.NO_ROUTE]
    rows = [
        {
            "target": plain(one.title),
            "": badge(one.standing),
            "by way of": plain(", ".join(format_title(leg.format) for leg in one.steps[:-1])),
            "samples": f"{one.samples:,}" if one.samples else "",
            "difference": small(one.max_abs) if one.max_abs is not None else "",
            "size": megabytes(one.size) if one.size else "",
        }
        for one in reachable
    ]
    st.table(rows, border="horizontal", hide_index=True, alt="The result for every target")
    for one in reachable:
        if one.reason:
            reason(one)
    unreachable = [plain(one.title) for one in attempts if one.standing is Standing.NO_ROUTE]
    if unreachable:
        st.caption(f"No converter leads there: {', '.join(unreachable)}.")


def reason(attempt: Attempt) -> None:
    """Say why a target is not proven, with the verdict of each step of a longer way, and what to do."""
    st.markdown(" ".join(filter(None, (f"**{plain(attempt.title)}**", badge(attempt.standing), way(attempt)))))
    st.caption(f"{plain(attempt.reason, 900)} {plain(attempt.next_step, 300)}")


def badge(standing: Standing) -> str:
    """Return a standing in its colour and with its sign."""
    colour, icon = LOOKS[standing]
    return f":{colour}-badge[:material/{icon}: {standing}]"


def way(attempt: Attempt) -> str:
    """Name the steps of a route of more than one, each with its verdict where it ran."""
    if len(attempt.steps) < 2:
        return ""
    steps = (leg.title + (f" ({leg.verdict})" if leg.verdict else "") for leg in attempt.steps)
    return " → ".join(map(plain, steps)) + "."
