"""The one button of a measurement: it measures what is asked for, and again where the job on the page asked for the same."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from core.domain.artifact import Artifact
from core.domain.factors import FactorsRequest
from core.domain.job import Job, State
from core.domain.side_by_side import SideBySideRequest
from core.domain.versus import VersusRequest
from pages.visitor import place
from pages.widgets import consent, progress

Request = FactorsRequest | SideBySideRequest | VersusRequest


def button(
    verb: str, request: Request, job: Job | None, words: tuple[str, str], icon: str, opened: Sequence[Artifact]
) -> None:
    """Offer to begin, in the first of the ``words`` and again in the second, once there is consent to all that is opened."""
    done = job is not None and job.state is State.DONE and job.verb == verb
    again = done and job is not None and replace(job.request, after=None) == request
    asked = replace(request, after=job.id) if again and job is not None else request
    st.button(
        words[again],
        type="secondary" if again else "primary",
        icon=icon,
        disabled=not opened or not all(map(consent.given, opened)),
        width="stretch",
        on_click=progress.begin,
        args=(lambda: place().submit(verb, asked),),
    )
