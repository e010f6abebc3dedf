"""The first step of a move: what the model stands on, and how far each target bears it."""

import streamlit as st

from core.answers.charts.bars import megabytes
from core.domain.artifact import Artifact
from core.domain.assessment import Assessment, AssessRequest, Card, Concern, Fits, Known, Prospect
from core.domain.job import Job, State
from core.domain.work import Subject
from pages import scaffold
from pages.visitor import place
from pages.widgets import consent, progress, testdata
from pages.widgets.figure import figure
from pages.widgets.summary import specs
from pages.widgets.text import plain

COLOURS = {Fits.YES: "green", Fits.PARTLY: "orange", Fits.NO: "red", Fits.UNKNOWN: "gray"}
MARKS = {Fits.YES: "yes", Fits.PARTLY: "partly", Fits.NO: "NO", Fits.UNKNOWN: "?"}


def step(page: scaffold.Page, artifact: Artifact, jobs: list[Job]) -> None:
    """Ask for the data with which exports are found again, and assess."""
    mine = [job for job in jobs if job.verb == "assess"]
    job = scaffold.shown(mine, mine)
    plan, result = scaffold.columns()
    with plan:
        data = testdata.choose(artifact, job)
        consent.ask(artifact)
        request = AssessRequest(Subject.of(artifact), data)
        st.button(
            "Assess",
            type="secondary" if job is not None and job.state is State.DONE else "primary",
            icon=":material/travel_explore:",
            width="stretch",
            on_click=progress.begin,
            args=(lambda: place().submit("assess", request),),
        )
        st.caption("Nothing of the file runs at first. Where an ONNX form can be made, it is made in the sandbox.")
    with result:
        scaffold.outcome(page, artifact, job)


def show(result: Assessment) -> None:
    """Show three figures and a sentence, then the targets, what to know, the operators, and the card."""
    figures(result)
    for concern in result.concerns:
        warn(concern)
    st.caption(f":material/info: {plain(result.tried, 400)}")
    targets, operators, card, shapes = st.tabs(["Targets", "Operators", "Dependencies", "Inputs and outputs"])
    with targets:
        for one in result.prospects:
            prospect(one)
    with operators:
        matrix(result.prospects)
    with card:
        stands_on(result.card, result)
    with shapes:
        specs("Inputs", result.card.inputs)
        specs("Outputs", result.card.outputs)


def figures(result: Assessment) -> None:
    """Show what people look for first."""
    best, blocked = result.prospects[0], sum(one.blocked for one in result.prospects)
    st.markdown(f"**Easiest: {best.title}, {best.effort} effort.** {plain(best.reason, 300)}")
    with st.grid(3, min_column_width=150):
        figure("Targets that take all of it", f"{result.ready} of {result.of}")
        figure("Targets blocked", f"{blocked} of {result.of}")
        figure("Size", megabytes(result.needs.size))


def warn(concern: Concern) -> None:
    """Show one concern with what to do."""
    words = f"{plain(concern.what, 400)} {plain(concern.next_step, 300)}"
    if concern.level == "blocker":
        st.error(words, icon=":material/block:")
    else:
        st.warning(words, icon=":material/warning:")


def prospect(one: Prospect) -> None:
    """Show one target as a line: whether it bears the model, how that is known, the effort, and why."""
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{one.title}**", width="content")
            effort = "blocked" if one.blocked else f"{one.effort} effort"
            st.badge(effort, color="red" if one.blocked else "green" if str(one.effort) == "small" else "orange")
            st.badge(one.fit.told, color=COLOURS[one.fit.fits])  # type: ignore[arg-type]
        st.caption(f"{plain(one.reason, 400)} {plain(one.next_step, 300)}")


def matrix(prospects: tuple[Prospect, ...]) -> None:
    """Show operators against the targets that were asked; each cell says how it is known."""
    asked = [one for one in prospects if one.fit.cells]
    operators = sorted({cell.operator for one in asked for cell in one.fit.cells})
    if not operators:
        st.caption("No engine was asked about operators.")
        return
    cells = {(one.target, cell.operator): cell for one in asked for cell in one.fit.cells}
    rows = []
    for operator in operators:
        found = {one.title: cells.get((one.target, operator)) for one in asked}
        told = {title: f"{MARKS[c.fits]} · {c.known}" if c else f"? · {Known.UNKNOWN}" for title, c in found.items()}
        rows.append({"operator": plain(operator, 60), **told})
    st.table(rows, border="horizontal", hide_index=True)
    why = {f"{c.operator}: {c.why}" for c in cells.values() if c.why and c.fits is Fits.NO}
    for sentence in sorted(why)[:10]:
        st.caption(plain(sentence, 300))


def stands_on(card: Card, result: Assessment) -> None:
    """Show the card of dependencies and the needs."""
    classes = ", ".join(f"{name} {n}" for name, n in list(card.classes.items())[:30])
    weights = result.needs.weight_bytes
    rows = {
        "format": card.title,
        "written by": card.producer or "not known",
        "ONNX opset, IR version": f"{card.opset or 'none'}, {card.ir or 'none'}",
        "packages": ", ".join(card.packages) or "none named",
        "operators or classes": classes or "not known",
        "operator sets beside the standard one": ", ".join(card.domains) or "none",
        "element types": result.needs.precision or "not known",
        "numbers in memory": megabytes(weights) if weights else "not known",
        "processors": result.needs.processor,
    }
    st.table(
        [{"": name, "value": plain(text, 900)} for name, text in rows.items()], border="horizontal", hide_index=True
    )
