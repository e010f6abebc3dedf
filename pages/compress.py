"""Compress: choose a technique, see what it wins and what it costs on held-out data, take the smaller file away."""

from functools import partial

import streamlit as st

from core.answers import report
from core.domain.artifact import Artifact
from core.domain.compression import MAX_DROP, TEST, CompressRequest
from core.domain.job import Job, State
from core.domain.recipe import Step
from core.domain.technique import Technique
from core.domain.work import Data, Subject
from core.doors.workspace import current
from core.techniques import TECHNIQUES
from core.verbs.compress import FORMAT
from pages import scaffold
from pages.visitor import place, visitor
from pages.widgets import (
    compression,
    goal,
    install,
    options,
    progress,
    recipe,
    show,
    technique,
    testdata,
    to_onnx,
    tuning,
    variants,
)
from pages.widgets.chrome import ink
from pages.widgets.goal import GOALS
from pages.widgets.text import plain

TUNE, SINGLE, RECIPE = "Best trade-off", "One technique", "Recipe"
WAYS = (*GOALS, TUNE, SINGLE, RECIPE)


def page() -> None:
    """Tell the story: which model, by what, with which data; then the job; then what it won and what it cost."""
    to_onnx.arrived()
    models = current().store.artifacts(visitor())
    found = sorted((a for a in models if a.format == FORMAT or to_onnx.leads(a, models)), key=is_variant)
    words = "Techniques work on ONNX files; models of other formats are converted first."
    artifact = scaffold.choose(PAGE, found, words)
    if artifact is None:
        return
    if artifact.format != FORMAT:
        to_onnx.section(artifact)
        return
    jobs = measured(artifact)
    job = scaffold.shown(jobs, jobs)
    with scaffold.plan("Compress again, in another way or with other data", opened=job is None or bool(advised())):
        form(artifact, job)
    scaffold.outcome(PAGE, artifact, job)
    done = finished(artifact)
    if job is not None and job in done:
        show.section(artifact, job, partial(report_on, artifact, job, done))
    variants.section(done)


def measured(artifact: Artifact) -> list[Job]:
    """Return the searches on a model, and the compressions that were measured on held-out samples, newest first."""
    return [job for job in PAGE.jobs(artifact) if job.verb == "tune" or job.request.judged == TEST]


def finished(artifact: Artifact) -> list[Job]:
    """Return the compressions that have a result."""
    return [job for job in measured(artifact) if job.verb == "compress" and job.state is State.DONE and job.result]


def report_on(artifact: Artifact, job: Job, done: list[Job]) -> bytes:
    """Write the page about one variant, with the others beside it."""
    results = [one.result for one in done if one.result]
    return report.compression(artifact.name, results, [one.id for one in done if one.result].index(job.id))


def is_variant(artifact: Artifact) -> bool:
    """Say whether a technique made this model; those that none made stand first."""
    return artifact.step is not None and artifact.step.transform in TECHNIQUES


def form(artifact: Artifact, job: Job | None) -> None:
    """Ask for a goal, or else for one technique, a row of them or a search; for data and the allowed drop; and submit."""
    how = st.segmented_control(
        "What do you want?",
        WAYS,
        default=way(job),
        required=True,
        key=f"how-{artifact.id}-{way(job)}",
        width="stretch",
    )
    left, right = st.columns(2, gap="large")
    with left if how in (*GOALS, TUNE) else right:
        data = testdata.choose(artifact, job)
        drop = allowed(artifact)
    with right if how in (*GOALS, TUNE) else left:
        if how == TUNE:
            tuning.form(artifact, data, drop, job)
            return
        steps = asked(artifact, how, data is not None, job)
    with right:
        if steps:
            submit(artifact, steps, data, drop, job)


def asked(artifact: Artifact, how: str, has_data: bool, job: Job | None) -> list[tuple[Technique, Step]]:
    """Return the techniques that are wanted, each with its options; none where none fits."""
    begun = job.request.recipe if job is not None and job.verb == "compress" else ()
    if how == RECIPE:
        return recipe.build(artifact, begun)
    if how in GOALS:
        chosen = goal.recommended(artifact, how, has_data)
    else:
        chosen = technique.pick(artifact, advised() or (begun[-1].transform if begun else None))
    return [] if chosen is None else [(chosen, Step(chosen.id, options.form([chosen], opened=False)))]


def advised() -> str | None:
    """Return the technique that the address asks for, as advice on the Profile page does, until a job is there."""
    return None if "job" in st.query_params else st.query_params.get("technique")


def way(job: Job | None) -> str:
    """Return how the job on the page was asked for."""
    if advised():
        return SINGLE
    if job is None:
        return WAYS[0]
    return TUNE if job.verb == "tune" else RECIPE if len(job.request.recipe) > 1 else SINGLE


def submit(
    artifact: Artifact, steps: list[tuple[Technique, Step]], data: Data | None, drop: float, job: Job | None
) -> None:
    """Offer to begin where nothing is missing."""
    learners = [one.title for one, _ in steps if one.calibrates]
    if learners and data is None:
        st.caption(f":material/info: {learners[0]} learns from samples: add a data set; it needs no labels.")
    request = CompressRequest(Subject.of(artifact), tuple(step for _, step in steps), data, drop)
    missing = [(one, reason) for one, _ in steps if (reason := one.unavailable())]
    st.button(
        "Compress and measure",
        type="secondary" if job is not None and job.state is State.DONE else "primary",
        icon=":material/compress:",
        disabled=bool(missing) or (bool(learners) and data is None),
        width="stretch",
        on_click=progress.begin,
        args=(lambda: place().submit("compress", request),),
    )
    for one, reason in missing:
        st.caption(plain(reason, 300))
        install.offer([one.group.id] if one.group else [])


def allowed(artifact: Artifact) -> float:
    """Ask by which share the quality may fall."""
    drop = st.number_input(
        "Allowed drop in accuracy, %",
        0.0,
        100.0,
        100 * MAX_DROP,
        0.1,
        help="In percentage points of accuracy or, for a regression, as a percentage of its error. A variant that loses more cannot be downloaded.",
        key=f"drop-{artifact.id}",
    )
    return float(drop) / 100


PAGE = scaffold.Page(
    "Compress",
    no_model=(
        "No model to compress yet",
        "Techniques work on ONNX files, and on models that can be converted to ONNX.",
    ),
    no_job=(
        "The gain and the cost appear here",
        "The technique learns from one half of your data. Changed predictions and accuracy are measured on the other "
        "half, with the stored file, so that nothing is judged by samples that it learned from.",
    ),
    shows={
        "compress": lambda artifact, job: compression.show(job.result, str(job.made), finished(artifact), ink()),
        "tune": lambda artifact, job: tuning.show(artifact, job, ink()),
    },
    live=frozenset({"tune"}),
)

page()
