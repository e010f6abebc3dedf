"""Convert: choose a target, read the proof, take the artifact away with its evidence."""

from dataclasses import replace

import streamlit as st

from core.converters import CONVERTERS, NO_ROUTE, route
from core.domain.artifact import Artifact
from core.domain.conversion import ConvertRequest
from core.domain.evaluation import EvaluateRequest
from core.domain.job import Job, State
from core.domain.portability import PortabilityRequest
from core.domain.work import Data, Subject
from core.doors.workspace import current
from pages import scaffold
from pages.visitor import place, visitor
from pages.widgets import architecture, consent, evidence, matrix, options, progress, testdata
from pages.widgets.chrome import ink
from pages.widgets.summary import format_title
from pages.widgets.text import plain


def page() -> None:
    """Tell the story: which model, to where, with which data; then the job; then the proof."""
    artifact = scaffold.choose(PAGE, current().store.artifacts(visitor()))
    if artifact is None:
        return
    jobs = PAGE.jobs(artifact)
    job = scaffold.shown(jobs, [job for job in jobs if job.attempt])
    plans = matrix.plans(artifact)
    target = matrix.chosen(artifact, plans, job)
    top = st.container()
    if target is None:
        no_target(artifact)
        with top:
            matrix.section(artifact, plans, None, None, ready=False)
    else:
        with scaffold.plan("Convert again, with other data or options", opened=new(job, target)):
            asked = form(artifact, target, job)
        with top:
            matrix.section(artifact, plans, target, asked, ready=agreed(artifact, asked))
    scaffold.outcome(PAGE, artifact, job)


def new(job: Job | None, target: str) -> bool:
    """Say whether the chosen target is not that of the job on the page."""
    return job is None or (job.verb == "convert" and job.request.target != target)


def form(artifact: Artifact, target: str, job: Job | None) -> PortabilityRequest:
    """Ask for a data set and the options of the way to the target, and submit; returns what would be asked of every target."""
    answered = job is not None and job.state is State.DONE and not new(job, target)
    left, right = st.columns(2, gap="large")
    with left:
        data = testdata.choose(artifact, job)
    with right:
        chosen = options.form(route(artifact.format, target), opened=artifact.format in architecture.WEIGHTS)
        consent.ask(artifact)
        code, trusted = architecture.choose(artifact)
    subject = Subject.of(artifact)
    asked = PortabilityRequest(replace(subject, consent=subject.consent or trusted), chosen, data, code)
    request = ConvertRequest(asked.subject, target, chosen, data, code)
    with left:
        st.button(
            "Convert and prove",
            type="secondary" if answered else "primary",
            icon=":material/verified:",
            disabled=not agreed(artifact, asked),
            width="stretch",
            on_click=progress.begin,
            args=(lambda: place().submit("convert", pressed(artifact, request)),),
        )
    with right, st.expander("Prove a file that you converted elsewhere", icon=":material/compare_arrows:"):
        compare(artifact, data)
    return asked


def pressed(artifact: Artifact, request: ConvertRequest) -> ConvertRequest:
    """Return what a press of the button asks for: whoever chose another tile a moment before means that one, whose options are not drawn yet."""
    target = str(st.session_state[matrix.key(artifact.id)])
    return request if target == request.target else replace(request, target=target, options={})


def agreed(artifact: Artifact, asked: PortabilityRequest) -> bool:
    """Say whether the owner let run what has to: a pickle, or a Python file beside the weights."""
    return asked.subject.consent or (artifact.format != "pickle" and asked.code is None)


def no_target(artifact: Artifact) -> None:
    """Explain why this kind of file has no target yet."""
    st.markdown(f"**Nothing to convert {plain(format_title(artifact.format))} to.**")
    st.caption(NO_ROUTE.get(artifact.format, "No converter here reads this format."))


def compare(artifact: Artifact, data: Data | None) -> None:
    """Offer the proof alone, for two files that are both in the library."""
    runnable = {c.source for c in CONVERTERS} | {c.target for c in CONVERTERS}
    others = [a for a in current().store.artifacts(visitor()) if a.id != artifact.id and a.format in runnable]
    if artifact.format not in runnable or not others:
        st.caption("Add the other file on the Models page first; then both can be compared here.")
        return
    names = {a.id: f"{a.name} · {format_title(a.format)} · {a.sha256[:8]}" for a in others}
    other = st.selectbox("File that should give the same answers", list(names), format_func=names.__getitem__)
    target = next(a for a in others if a.id == other)
    request = EvaluateRequest(Subject.of(target), data, Subject.of(artifact), artifact.id)
    st.button(
        "Compare the answers",
        icon=":material/compare_arrows:",
        on_click=progress.begin,
        args=(lambda: place().submit("evaluate", request),),
    )


PAGE = scaffold.Page(
    "Convert",
    no_model=("No model to convert yet", "Add a file of your own or open a sample first."),
    no_job=(
        "The proof appears here",
        "Portolan converts the file, opens the stored result in a fresh process, gives both files the same inputs and "
        "compares every answer: random inputs, edge inputs, batches of 1 and 3, and your data.",
    ),
    shows={
        "convert": lambda artifact, job: evidence.conversion(job.result, str(job.made), ink()),
        "evaluate": lambda artifact, job: evidence.comparison(job.result, ink()),
    },
)

page()
