"""A goal instead of a technique: the one technique that a model should begin with, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import streamlit as st

from core.domain.artifact import Artifact
from core.domain.format import Summary
from core.domain.ingestion import Ingested
from core.domain.technique import Technique
from core.doors.workspace import current
from core.techniques import TECHNIQUES, misfits
from pages.visitor import visitor


class Goal(StrEnum):
    """What a person wants of a smaller model, in a word."""

    SMALLER = "Smaller file"
    FASTER = "Faster answers"


@dataclass(frozen=True)
class Advice:
    """A technique with the reason for it; the reasons rest on the tables in docs/compression.md."""

    technique: str
    reason: str


MEASURED = "Whether that is faster on this machine is measured, and shown with its interval."
ADVICE: dict[Goal, Sequence[Advice]] = {
    Goal.SMALLER: (
        Advice(
            "codebooks_second_order",
            "Each weight takes a few bits, and is corrected on your data so that the answers of its layer change least.",
        ),
        Advice("codebooks", "Each weight takes a few bits. No data is needed; add some to see what it costs."),
        Advice("prune_trees", "It takes out trees whose votes change no answer on your data."),
        Advice("clean_up", "It takes out what no answer needs."),
    ),
    Goal.FASTER: (
        Advice("static_int8", f"Its convolutions can be computed in integers. {MEASURED}"),
        Advice("dynamic_int8", f"Its matrix products can be computed in integers. {MEASURED}"),
    ),
}
CONVOLUTION = "Conv"


def recommended(artifact: Artifact, goal: Goal, has_data: bool) -> Technique | None:
    """Show the technique to begin with and say why; None where nothing here reaches the goal."""
    reports = current().store.reports(visitor(), artifact.id, "summary")
    summary = reports[0].read(Ingested).summary if reports else None
    advice = first(summary, goal, has_data)
    with st.container(border=True):
        if advice is None:
            st.markdown("**Nothing to recommend**")
            st.caption(
                "No technique is known here to reach this goal for models of this kind. "
                "Choose one yourself, or search for the best trade-off."
            )
            return None
        technique = TECHNIQUES[advice.technique]
        st.markdown(f":material/recommend: **{technique.title}**")
        st.caption(advice.reason)
        st.caption(technique.sentence)
    return technique


def first(summary: Summary | None, goal: Goal, has_data: bool) -> Advice | None:
    """Return the first advice that fits the model and needs no data that is not there; else the first that fits."""
    unfit = misfits(summary) if summary is not None else {}
    operators = (summary.operators if summary is not None else None) or {}
    convolves = any(CONVOLUTION in name for name in operators)
    wrong = {"dynamic_int8" if convolves else "static_int8"} if goal is Goal.FASTER else set()
    fitting = [
        one
        for one in ADVICE[goal]
        if one.technique not in {*unfit, *wrong} and TECHNIQUES[one.technique].unavailable() is None
    ]
    ready = [one for one in fitting if has_data or not TECHNIQUES[one.technique].calibrates]
    return next(iter(ready or fitting), None)
