"""How pictures become the input of a model: steps to say it by, and some samples on their way, with the answer beside the label."""

from contextlib import suppress
from dataclasses import replace
from html import escape
from zlib import crc32

import streamlit as st

from core.domain.artifact import Artifact, Signature
from core.domain.errors import Refused
from core.domain.ingestion import Ingested
from core.domain.job import Job, State
from core.domain.preprocessing import Kind
from core.domain.previewing import Preview, PreviewRequest
from core.domain.task import Declaration, Shown, Task
from core.domain.work import Data, Subject
from core.doors.workspace import current
from core.metrics import METRICS
from core.preprocessing import STEPS, described, normal
from core.proof import guessing
from core.verbs import task as verb
from pages.visitor import place, visitor
from pages.widgets import library, progress, steps, testdata
from pages.widgets.text import plain

NEW = "layout"
"""What a step begins as that is added."""
MOST = 12


def show(artifact: Artifact) -> None:
    """Draw the section, where the model takes something that may be a picture."""
    declared = verb.declared(current().store, visitor(), artifact.id)
    guess = guessed(artifact)
    metric(artifact, declared or Task())
    if declared and declared.prepare:
        task = declared
    elif guess is not None:
        task = replace(guess, metric=declared.metric if declared else "")
    else:
        return
    job = library.job_of_address()
    if job is not None and (job.verb != verb.VERB.name or verb.VERB.place(job.request) != artifact.id):
        job = None
    st.subheader("From a picture to the input")
    st.caption(said(task, declared=bool(declared and declared.prepare)))
    with st.expander("Try it on pictures, and change it", expanded=job is not None, icon=":material/image:"):
        plan, result = st.columns([1, 1], gap="large")
        with plan:
            form(artifact, tried(job) or task, job)
        with result:
            outcome(artifact, job)


def metric(artifact: Artifact, task: Task) -> None:
    """Choose what the verdicts on quality are made of, for this model and all that is made from it."""
    key = f"metric-{artifact.id}-{task.metric}"

    def keep() -> None:
        chosen = st.session_state[key]
        place().report(artifact.id, verb.REPORT, Declaration(replace(task, metric=chosen)))
        st.toast("Saved: used for this model and for all that is made from it.", icon=":material/check:")

    ids = ["", *(one.id for one in METRICS)]
    st.selectbox(
        "Judge quality by",
        ids,
        index=ids.index(task.metric) if task.metric in ids else 0,
        format_func=lambda id: METRICS[id].title if id else "Accuracy, or RMSE for numbers",
        help="PASS, FAIL or NOT PROVEN then says whether a converted or compressed file keeps this figure on samples that nobody has seen.",
        key=key,
        on_change=lambda: progress.attempt(keep),
    )
    if task.metric:
        st.caption(f"{METRICS[task.metric].sentence} {METRICS[task.metric].counted}")


def said(task: Task, *, declared: bool) -> str:
    """Say which steps are used, and whose word that is."""
    if not task.prepare:
        return "The file does not say how large its pictures are. Add some pictures, and Portolan guesses the steps."
    words = "Set for this model" if declared else "Not set yet; this guess is used"
    return f"{words}: {plain(described(task.prepare), 400)}."


def tried(job: Job | None) -> Task | None:
    """Return the task that a job tried or guessed, or None."""
    if job is None:
        return None
    if isinstance(job.result, Preview):
        return job.result.task
    return job.request.data.task if job.request.data else None


def guessed(artifact: Artifact) -> Task | None:
    """Guess from what the file says: no steps where only pictures themselves could tell their size; None where no picture fits."""
    reports = current().store.reports(visitor(), artifact.id, "summary")
    if not reports:
        return None
    summary = reports[0].read(Ingested).summary
    with suppress(Refused):
        signature = Signature(summary.inputs, summary.outputs)
        return guessing.from_signature(signature) if guessing.sized(signature) else Task()
    return None


def form(artifact: Artifact, task: Task, job: Job | None) -> None:
    """Ask for pictures, steps and the names of the classes; try them, or keep them for this model and all that is made from it."""
    data = testdata.choose(artifact, job)
    ready = data is not None and data.raw
    if not ready:
        st.caption("Choose a zip of pictures to try the steps on, in a folder for each class if they are labelled.")
    acts = st.container(horizontal=True)
    key = editor(artifact, task) if task.prepare else None
    steps_now = tuple(step for _, step in steps.build(key, STEPS, NEW, MOST)) if key else ()
    chosen = replace(task, prepare=steps_now, classes=data.classes if data else task.classes)
    sent = replace(data, task=chosen if steps_now else None) if data else None
    with acts:
        st.button(
            "Try on samples",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not ready,
            on_click=attempt,
            args=(artifact, sent),
        )
        st.button(
            "Save these steps",
            icon=":material/save:",
            disabled=key is None,
            on_click=save,
            args=(artifact, chosen),
        )


def editor(artifact: Artifact, task: Task) -> str:
    """Fill the form with the steps of a task, once, and return its key."""
    key = f"task-{artifact.id}-{crc32(repr(task.prepare).encode())}"
    if key not in st.session_state:
        steps.fill(key, STEPS, task.prepare, NEW)
    return key


def attempt(artifact: Artifact, data: Data | None) -> None:
    """Try steps on some samples."""
    progress.begin(lambda: place().submit(verb.VERB.name, PreviewRequest(Subject.of(artifact), data)))


def save(artifact: Artifact, chosen: Task) -> None:
    """Keep the task beside the model; steps that do not fit each other are refused."""

    def keep() -> None:
        task = replace(chosen, prepare=normal(chosen.prepare, Kind.FILE))
        place().report(artifact.id, verb.REPORT, Declaration(task))
        st.toast("Saved: used for this model and for all that is made from it.", icon=":material/check:")

    progress.attempt(keep)


def outcome(artifact: Artifact, job: Job | None) -> None:
    """Show the job, or the samples that it prepared."""
    if job is None:
        st.caption("A few pictures appear here after each step, with the model's answer beside the label.")
    elif job.state.active:
        progress.watch(job.id)
    elif job.state is not State.DONE or not isinstance(job.result, Preview):
        progress.ended_badly(job)
    else:
        prepared(artifact, job.result)


def prepared(artifact: Artifact, found: Preview) -> None:
    """Show better steps, if some were found, and the samples."""
    if found.better and found.data:
        st.warning(plain(found.better.sentence, 400), icon=":material/lightbulb:")
        data = replace(found.data, task=found.better.task)
        st.button("Use these steps", icon=":material/auto_fix_high:", on_click=attempt, args=(artifact, data))
    for one in found.shown:
        sample(one)
    for sentence in found.read:
        st.caption(plain(sentence, 400))


def sample(one: Shown) -> None:
    """Show one sample after each step, and what the model says."""
    with st.container(border=True):
        right = "" if not one.label else ":green-badge[right]" if one.answer == one.label else ":red-badge[wrong]"
        label = f" · label {plain(one.label, 60)}" if one.label else ""
        st.markdown(f"**{plain(one.answer, 60)}**{label} {right}")
        with st.container(horizontal=True, gap="small"):
            for stage in one.stages:
                with st.container(width=104, gap="xxsmall"):
                    st.html(f'<img src="{stage.picture}" width="96" alt="{escape(stage.words)}">')
                    st.caption(f"{plain(stage.words, 80)}: {plain(stage.result, 60)}")
        st.caption(plain(one.name, 120))
