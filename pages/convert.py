"""Convert: choose a target, read the proof, take the artifact away with its evidence."""

from dataclasses import replace

import streamlit as st

from core.answers.bundle import targets
from core.converters import CONVERTERS, NO_ROUTE, route, unavailable
from core.converters import targets as reachable
from core.domain.artifact import Artifact
from core.domain.conversion import ConvertRequest
from core.domain.evaluation import EvaluateRequest
from core.domain.job import Job, State
from core.domain.portability import PortabilityRequest
from core.domain.work import Data, Subject
from core.doors.workspace import current
from pages import scaffold
from pages.visitor import place, visitor
from pages.widgets import architecture, consent, evidence, install, matrix, options, progress, testdata
from pages.widgets.chrome import ink
from pages.widgets.summary import format_title
from pages.widgets.text import plain


def page() -> None:
    """Tell the story: which model, to what, with which data; then the job; then the proof."""
    artifact = scaffold.choose(PAGE, current().store.artifacts(visitor()))
    if artifact is None:
        return
    jobs = PAGE.jobs(artifact)
    job = scaffold.shown(jobs, [job for job in jobs if job.attempt])
    top = st.container()
    plan, result = scaffold.columns()
    with plan:
        asked = form(artifact, job)
    with result:
        scaffold.outcome(PAGE, artifact, job)
    if asked is not None:
        with top:
            matrix.section(artifact, asked, ready=agreed(artifact, asked))


def form(artifact: Artifact, job: Job | None) -> PortabilityRequest | None:
    """Ask for the target, its options and a data set, and submit; once there is an answer, that is what the page is for.

    Begins with the target of the job that is shown. Returns what was chosen, as it would be asked of every target, or
    None where there is no target.
    """
    answered = job is not None and job.state is State.DONE
    ways = {format: route(artifact.format, format) for format in targets() if format in reachable(artifact.format)}
    missing = {format: reason for format, steps in ways.items() if (reason := unavailable(steps))}
    choices = [format for format in ways if format not in missing]
    if not choices:
        no_target(artifact)
        not_installed(artifact, missing)
        return None
    key = f"to-{artifact.id}"
    if st.session_state.get(key) not in choices:
        shown = job.request.target if job is not None and job.verb == "convert" else None
        st.session_state[key] = shown if shown in choices else choices[0]
    target = str(st.pills("Target", choices, required=True, format_func=format_title, key=key, wrap=True))
    steps = ways[target]
    st.caption(
        " → ".join([format_title(artifact.format), *(format_title(step.target) for step in steps)])
        + ". "
        + steps[-1].sentence
    )
    not_installed(artifact, missing)
    chosen = options.form(steps, opened=artifact.format in architecture.WEIGHTS)
    data = testdata.choose(artifact, job)
    consent.ask(artifact)
    code, trusted = architecture.choose(artifact)
    subject = Subject.of(artifact)
    asked = PortabilityRequest(replace(subject, consent=subject.consent or trusted), chosen, data, code)
    request = ConvertRequest(asked.subject, target, chosen, data, code)
    st.button(
        "Convert and prove",
        type="secondary" if answered else "primary",
        icon=":material/verified:",
        disabled=not agreed(artifact, asked),
        width="stretch",
        on_click=progress.begin,
        args=(lambda: place().submit("convert", request),),
    )
    with st.expander("Prove a file that you converted elsewhere", icon=":material/compare_arrows:"):
        compare(artifact, data)
    return asked


def not_installed(artifact: Artifact, missing: dict[str, str]) -> None:
    """Show the targets that an optional group would bring, greyed out, each with the reason and the command."""
    if not missing:
        return
    st.pills(
        "Not installed here",
        list(missing),
        format_func=format_title,
        disabled=True,
        key=f"missing-{artifact.id}",
        wrap=True,
    )
    with st.popover("How to install them", icon=":material/extension:", type="tertiary"):
        for reason in dict.fromkeys(missing.values()):
            st.caption(plain(reason, 300))
        steps = [step for format in missing for step in route(artifact.format, format)]
        install.offer([step.group.id for step in steps if step.group is not None])


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
