"""Where a model goes: the target, which the address keeps, and what was exported for it."""

import streamlit as st

from core.converters import route, unavailable
from core.domain.artifact import Artifact
from core.domain.conversion import ConvertRequest
from core.domain.errors import Refused
from core.domain.ingestion import Ingested
from core.domain.job import Job, State
from core.domain.report import Verdict
from core.domain.target import Target
from core.domain.work import Data, Subject
from core.doors.workspace import current
from core.targets import TARGETS
from core.verbs import convert, exporting
from pages.visitor import visitor


def target(artifact: Artifact) -> Target | None:
    """Choose a target that can be reached here; None where there is none."""
    choices: list[str] = [one.id for one in TARGETS if reachable(artifact.format, one)]
    if not choices:
        st.caption("No target can be reached from this format with what is installed here.")
        return None
    asked = st.query_params.get("target")
    first = asked if asked in choices else choices[0]
    if st.session_state.get("aim") not in choices:
        st.session_state["aim"] = first
    picked = str(
        st.selectbox(
            "Target",
            choices,
            format_func=lambda id: TARGETS[id].title,
            help="The assessment says how far each target takes the model.",
            key="aim",
            on_change=chosen,
        )
    )
    st.query_params["target"] = picked
    found = TARGETS[picked]
    st.caption(found.sentence)
    return found


def chosen() -> None:
    """Take the job out of the address, which belongs to another target."""
    st.query_params.pop("job", None)


def reachable(format: str, target: Target) -> bool:
    """Say whether a way that can run here leads to a target."""
    try:
        return unavailable(route(format, target.format)) is None
    except Refused:
        return False


def export(artifact: Artifact, target: Target, data: Data | None) -> ConvertRequest:
    """Return the conversion that a move to a target needs."""
    told = current().store.reports(visitor(), artifact.id, "summary")
    opset = told[0].read(Ingested).summary.opset if told else None
    return convert.normal(exporting.request(Subject.of(artifact), target, opset, data, None))


def exported(jobs: list[Job], target: Target) -> Job | None:
    """Return the newest export for a target that did not fail its proof."""
    done = (job for job in jobs if job.verb == "convert" and job.state is State.DONE and job.result is not None)
    right = (job for job in done if job.request.target == target.format)
    return next((job for job in right if job.result.parity.verdict is not Verdict.FAIL), None)
