"""Compress: choose a technique, see what it wins and what it costs on held-out data, take the smaller file away."""

import streamlit as st

from core.compress import FORMAT, MAX_DROP
from core.domain.artifact import Artifact
from core.domain.job import Job, State
from core.domain.technique import Technique
from core.techniques import TECHNIQUES
from core.workspace import current
from pages.visitor import visitor
from pages.widgets import compression, install, library, options, progress, testdata
from pages.widgets.chrome import ink
from pages.widgets.text import plain


def page() -> None:
    """Tell the story: which model, by what, with which data; then the job; then what it won and what it cost."""
    st.title("Compress")
    progress.refusal()
    found = sorted((a for a in current().store.artifacts(visitor()) if a.format == FORMAT), key=is_variant)
    if not found:
        empty()
        return
    artifact = library.choose(found, "Techniques work on ONNX files; convert other models first.")
    jobs = [job for job in current().queue.jobs(visitor()) if concerns(job, artifact)]
    job = asked_for(jobs)
    plan, result = st.columns([1, 2], gap="large")
    with plan:
        form(artifact, job)
    with result:
        outcome(job)
        compression.variants(jobs, ink())


def is_variant(artifact: Artifact) -> bool:
    """Say whether a technique made this model; those that none made stand first."""
    return artifact.step is not None and artifact.step.transform in TECHNIQUES


def empty() -> None:
    """Say where to begin."""
    with st.container(border=True, horizontal_alignment="center"):
        st.markdown("**:material/inbox: No ONNX model to compress yet**", text_alignment="center")
        st.caption(
            "Techniques work on ONNX files. Bring one, or convert a model to ONNX first.", text_alignment="center"
        )
        with st.container(horizontal=True, horizontal_alignment="center"):
            st.page_link("models.py", label="Bring a model", icon=":material/arrow_back:")
            st.page_link("convert.py", label="Convert to ONNX", icon=":material/swap_horiz:")


def concerns(job: Job, artifact: Artifact) -> bool:
    """Say whether a job compressed this model."""
    return job.verb == "compress" and job.args.get("artifact") == artifact.id


def asked_for(jobs: list[Job]) -> Job | None:
    """Return the job in the address, else the model's last one."""
    job = library.job_of_address()
    if job is not None and any(job.id == one.id for one in jobs):
        return job
    return next((one for one in jobs if one.state in library.SHOWN), None)


def form(artifact: Artifact, job: Job | None) -> None:
    """Ask for a technique, its options, data and the allowed drop, and submit."""
    technique = pick(artifact, shown(job))
    chosen = options.form([technique], opened=False)
    data = testdata.choose(artifact)
    drop = st.number_input(
        "Allowed drop in accuracy, %",
        0.0,
        100.0,
        100 * MAX_DROP,
        0.1,
        help="In points of accuracy, or per cent of the error of a regression. A variant that loses more is no download.",
        key=f"drop-{artifact.id}",
    )
    if technique.calibrates and data is None:
        st.caption(f":material/info: {technique.title} learns from samples: add a data set; it needs no labels.")
    args = {
        **library.subject(artifact),
        "recipe": [{"transform": technique.id, "options": chosen}],
        "data": data,
        "max_drop": drop / 100,
    }
    reason = technique.unavailable()
    st.button(
        "Compress and measure",
        type="secondary" if job is not None and job.state is State.DONE else "primary",
        icon=":material/compress:",
        disabled=reason is not None or (technique.calibrates and data is None),
        width="stretch",
        on_click=progress.begin,
        args=(lambda: current().queue.submit(visitor(), "compress", args),),
    )
    if reason:
        st.caption(plain(reason, 300))
        install.offer([technique.group.id] if technique.group else [])


def shown(job: Job | None) -> Technique:
    """Return the technique of the job on the page, or the first there is."""
    steps = job.args["recipe"] if job is not None else []
    known = [TECHNIQUES[step["transform"]] for step in steps if step["transform"] in TECHNIQUES]
    return known[-1] if known else next(iter(TECHNIQUES))


def pick(artifact: Artifact, first: Technique) -> Technique:
    """Choose the family, then the technique; begin with a given one."""
    families = list(dict.fromkeys(technique.family for technique in TECHNIQUES))
    family = st.pills(
        "Family",
        families,
        default=first.family,
        required=True,
        format_func=str.capitalize,
        key=f"family-{artifact.id}",
        wrap=True,
    )
    ids = [technique.id for technique in TECHNIQUES if technique.family == family]
    id = st.radio(
        "Technique",
        ids,
        index=ids.index(first.id) if first.id in ids else 0,
        format_func=lambda id: TECHNIQUES[id].title,
        captions=[TECHNIQUES[id].sentence for id in ids],
        key=f"technique-{artifact.id}-{family}",
    )
    return TECHNIQUES[id]


def outcome(job: Job | None) -> None:
    """Show the job, or what it found, or what will stand here."""
    if job is None:
        with st.container(border=True):
            st.markdown("**What it wins and what it costs appears here**")
            st.caption(
                "The technique learns from one half of your data; size, changed predictions and accuracy are measured on "
                "the stored file and the other half, so that nothing is judged by what it learned from."
            )
    elif job.state.active:
        progress.watch(job.id)
    elif job.state is not State.DONE or job.result is None:
        progress.ended_badly(job)
    else:
        compression.show(job.result, ink())


page()
