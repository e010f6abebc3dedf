"""The way to ONNX, on which techniques work, for a model in another format: one click where nothing has to be asked."""

import streamlit as st

from core.converters import route as way
from core.converters import targets, unavailable
from core.domain.artifact import Artifact
from core.domain.conversion import ConvertRequest
from core.domain.job import Job, State
from core.domain.work import Subject
from core.doors.workspace import current
from pages.visitor import place, visitor
from pages.widgets import architecture, library, progress, testdata
from pages.widgets.summary import format_title

FORMAT = "onnx"


def leads(artifact: Artifact, models: list[Artifact]) -> bool:
    """Say whether a model is no ONNX file, a converter that is installed leads there, and nobody of ``models`` came that way yet."""
    if artifact.format == FORMAT or FORMAT not in targets(artifact.format):
        return False
    return unavailable(way(artifact.format, FORMAT)) is None and not converted(artifact, models)


def converted(artifact: Artifact, models: list[Artifact]) -> bool:
    """Say whether an ONNX file was made from a model, directly or over other formats."""
    children = [one for one in models if one.parent == artifact.id]
    return any(child.format == FORMAT or converted(child, models) for child in children)


def section(artifact: Artifact) -> None:
    """Offer the conversion, follow it, and go on with what it made."""
    job = last(artifact)
    with st.container(border=True):
        st.markdown(f"**Techniques work on ONNX, and this is {format_title(artifact.format)}**")
        if asks(artifact):
            st.caption("The conversion needs your input first: open the Convert page.")
            st.page_link(
                "convert.py",
                label="Convert to ONNX",
                icon=":material/swap_horiz:",
                query_params={"model": artifact.id},
            )
            return
        st.caption("After one conversion, proven like any other, the model can be compressed here.")
        data = testdata.choose(artifact, job)
        request = ConvertRequest(Subject.of(artifact), FORMAT, data=data)
        st.button(
            "Convert to ONNX and continue",
            type="primary",
            icon=":material/swap_horiz:",
            disabled=job is not None and job.state.active,
            on_click=progress.begin,
            args=(lambda: place().submit("convert", request),),
        )
    if job is not None and job.state.active:
        progress.watch(job.id)
    elif job is not None and job.state is not State.DONE:
        progress.ended_badly(job)
    elif job is not None:
        st.error(
            "The ONNX file did not give the same answers as this model, so it is not compressed.",
            icon=":material/dangerous:",
        )
        st.page_link("convert.py", label="See where they differ", query_params={"model": artifact.id, "job": job.id})


def asks(artifact: Artifact) -> bool:
    """Say whether a conversion needs an architecture, or its owner's word that a pickle may be loaded."""
    return artifact.format in architecture.WEIGHTS or (artifact.format == "pickle" and not artifact.consented)


def last(artifact: Artifact) -> Job | None:
    """Return the newest conversion of a model to ONNX."""
    jobs = current().queue.jobs(visitor())
    mine = (job for job in jobs if job.verb == "convert" and job.request.subject.artifact == artifact.id)
    return next((job for job in mine if job.request.target == FORMAT), None)


def arrived() -> None:
    """Where the address names a conversion to ONNX that is over, go on with what it made."""
    job = library.job_of_address()
    if job is not None and job.verb == "convert" and job.state is State.DONE and job.request.target == FORMAT:
        st.query_params.from_dict({"model": str(job.made)})
