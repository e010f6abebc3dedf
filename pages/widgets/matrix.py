"""Where a model must run: one tile a target, coloured by what became of it when it was tried, and the figures of all of them."""

from collections.abc import Callable

import streamlit as st

from core.answers import bundle
from core.answers.charts.bars import megabytes
from core.converters import route, targets
from core.domain.artifact import Artifact
from core.domain.format import Surroundings
from core.domain.job import Job, State
from core.domain.portability import Attempt, Portability, PortabilityRequest, Standing
from core.doors.workspace import current
from core.formats import FORMATS
from core.verbs.portability import conversion, planned
from pages.visitor import place, visitor
from pages.widgets import install, progress
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


def plans(artifact: Artifact) -> list[Attempt]:
    """Return each target that this kind of file can get to, untried: waiting, or not installed."""
    return [planned(artifact.format, format) for format in bundle.targets() if format in targets(artifact.format)]


def chosen(artifact: Artifact, plans: list[Attempt], job: Job | None) -> str | None:
    """Return the target of the tile that was pressed, else that of the job on the page, else the first; None where nothing leads."""
    choices = [one.target for one in plans if one.standing is Standing.WAITING]
    if not choices:
        return None
    if st.session_state.get(key(artifact.id)) not in choices:
        shown = job.request.target if job is not None and job.verb == "convert" else None
        st.session_state[key(artifact.id)] = shown if shown in choices else choices[0]
    return str(st.session_state[key(artifact.id)])


def key(artifact: str) -> str:
    """Name the chosen target of a model in the session."""
    return f"to-{artifact}"


def section(
    artifact: Artifact, plans: list[Attempt], target: str | None, request: PortabilityRequest | None, ready: bool
) -> None:
    """Show every target with what is known of it; ``ready`` says whether the file may be loaded, to try them all."""
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
                state(now)
            attempts = known(plans, now)
            tiles(artifact, target, now, attempts)
            with st.container(horizontal=True, vertical_alignment="center"):
                if target is not None:
                    st.caption(f"{plain(FORMATS[target].sentence, 300)}{by_way(artifact, target)}")
                missing(artifact, attempts)
            if now is not None and now.result:
                with st.expander("Figures and reasons", icon=":material/table:"):
                    table(list(now.result.attempts))

    body()


def known(plans: list[Attempt], job: Job | None) -> list[Attempt]:
    """Return what is known of each target: what came of it when it was tried, else its plan."""
    tried = {one.target: one for one in job.result.attempts} if job is not None and job.result else {}
    found = [one if (old := tried.pop(one.target, None)) is None or stale(old, one) else old for one in plans]
    return found + [one for one in tried.values() if one.standing is not Standing.NO_ROUTE]


def stale(old: Attempt, now: Attempt) -> bool:
    """Say whether something was installed since the target was tried."""
    return old.standing is Standing.MISSING and now.standing is not Standing.MISSING


def by_way(artifact: Artifact, target: str) -> str:
    """Say over which formats a route of more than one step leads."""
    between = route(artifact.format, target)[:-1]
    return f" Via {plain(', '.join(format_title(step.target) for step in between))}." if between else ""


def tiles(artifact: Artifact, target: str | None, job: Job | None, attempts: list[Attempt]) -> None:
    """Draw a column for each kind of surroundings, with a tile for each target there."""
    groups = {where: [one for one in attempts if FORMATS[one.target].runs_in is where] for where in Surroundings}
    filled = {where: group for where, group in groups.items() if group}
    if not filled:
        return
    widths = [min(4, 1 + len(group)) for group in filled.values()]
    for column, (where, group) in zip(st.columns(widths), filled.items(), strict=True):
        with column:
            st.caption(str(where))
            with st.container(horizontal=True, gap="xsmall"):
                for attempt in group:
                    tile(artifact, job, attempt, attempt.target == target)


def missing(artifact: Artifact, attempts: list[Attempt]) -> None:
    """Say how the libraries of the targets that are not installed are installed."""
    reasons = {one.target: one.reason for one in attempts if one.standing is Standing.MISSING}
    if not reasons:
        return
    with st.popover("How to install the others", icon=":material/extension:", type="tertiary"):
        for reason in dict.fromkeys(reasons.values()):
            st.caption(plain(reason, 300))
        steps = [step for format in reasons for step in route(artifact.format, format)]
        install.offer([step.group.id for step in steps if step.group is not None])


def last(artifact: Artifact) -> Job | None:
    """Return the newest walk over all targets of this model."""
    jobs = current().queue.jobs(visitor())
    return next(
        (job for job in jobs if job.verb == "portability" and job.request.subject.artifact == artifact.id), None
    )


def heading(job: Job | None, request: PortabilityRequest | None, ready: bool) -> None:
    """Say what this is, and how far it is; offer what can be done now."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(width="content", gap="xsmall"):
            st.markdown("**Where must it run?**")
            st.caption(sentence(job))
        action(job, request, ready)


def sentence(job: Job | None) -> str:
    """Return one line on the walk."""
    if job is None or job.result is None:
        return "Choose a target, or have all of them tried: each file is written and compared with yours, or you are told why not."
    result: Portability = job.result
    standings = [attempt.standing for attempt in result.attempts]
    ways = [standing for standing in standings if standing is not Standing.NO_ROUTE]
    over = sum(standing.over for standing in ways)
    data = f", compared on {plain(result.data.name, 60)} too" if result.data else ""
    how = {
        State.CANCELLED: " Cancelled: the results so far are kept.",
        State.INTERRUPTED: " The server stopped meanwhile; resume to go on.",
    }
    tried = "" if over == len(ways) else f", {over} tried"
    return f"{result.proven} of {len(ways)} targets proven{tried}{data}.{how.get(job.state, '')}"


def action(job: Job | None, request: PortabilityRequest | None, ready: bool) -> None:
    """Draw the one button that makes sense now."""
    if job is not None and job.state.active:
        st.button("Stop trying", icon=":material/close:", key="matrix-cancel", on_click=progress.cancel, args=(job.id,))
    elif job is not None and job.state.repeatable:
        again = st.button(
            "Resume",
            icon=":material/resume:",
            key="matrix-again",
            on_click=start,
            args=(lambda: place().retry(job.id),),
        )
        rerun(again)
    elif request is not None and (job is None or job.request != request):
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


def state(job: Job) -> None:
    """Show the bar while every target is tried, or why that ended."""
    if job.state.active:
        st.progress(job.fraction or 0.0, text=plain(job.message or progress.waiting(job), 200))
    elif job.trouble is not None and job.state is State.FAILED:
        st.error(f"{plain(job.trouble.message, 600)} {plain(job.trouble.next_step, 600)}", icon=":material/block:")


def tile(artifact: Artifact, job: Job | None, attempt: Attempt, is_chosen: bool) -> None:
    """Draw one target; a press chooses it, and shows its conversion where it was tried, which the store answers at once."""
    colour, icon = LOOKS[attempt.standing]
    untried = attempt.standing is Standing.WAITING and (job is None or not job.state.active)
    mark = "" if untried else f":material/{icon}: " if is_chosen else f":{colour}[:material/{icon}:] "
    pressed = st.button(
        f"{mark}{plain(attempt.title.partition(' (')[0])}",
        type="primary" if is_chosen else "secondary",
        key=f"matrix-{attempt.target}",
        help="Not tried yet." if untried else summary(attempt),
        disabled=attempt.standing is Standing.MISSING,
        on_click=choose,
        args=(artifact, job, attempt),
    )
    rerun(pressed)


def choose(artifact: Artifact, job: Job | None, attempt: Attempt) -> None:
    """Make a target the chosen one, and what it was converted to the result on the page."""
    st.session_state[key(artifact.id)] = attempt.target
    if job is not None and attempt.standing.usable:
        wanted = conversion(job.request, attempt)
        progress.begin(lambda: place().submit("convert", wanted))


def summary(attempt: Attempt) -> str:
    """Say in one line where a target stands."""
    return " · ".join([attempt.standing.words.capitalize(), *figures(attempt)]) + (
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
            "via": plain(", ".join(format_title(leg.format) for leg in one.steps[:-1])),
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
    return f":{colour}-badge[:material/{icon}: {standing.words}]"


def way(attempt: Attempt) -> str:
    """Name the steps of a route of more than one, each with its verdict where it ran."""
    if len(attempt.steps) < 2:
        return ""
    steps = (leg.title + (f" ({leg.verdict})" if leg.verdict else "") for leg in attempt.steps)
    return " → ".join(map(plain, steps)) + "."
