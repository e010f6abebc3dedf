"""One technique for a model: those that fit it by family, and of the others the reason why not."""

import streamlit as st

from core.domain.artifact import Artifact
from core.domain.errors import Trouble
from core.domain.ingestion import Ingested
from core.domain.technique import Technique
from core.doors.workspace import current
from core.techniques import TECHNIQUES, misfits
from pages.visitor import visitor
from pages.widgets.text import plain


def pick(artifact: Artifact, begun: str | None) -> Technique | None:
    """Choose the family, then the technique; begin with a given one if it fits. None where nothing fits."""
    reports = current().store.reports(visitor(), artifact.id, "summary")
    reasons = misfits(reports[0].read(Ingested).summary) if reports else {}
    fitting = [technique for technique in TECHNIQUES if technique.id not in reasons]
    if not fitting:
        st.error("No technique applies to this model.", icon=":material/block:")
        why_not(reasons)
        return None
    first = next((technique for technique in fitting if technique.id == begun), fitting[0])
    family = st.pills(
        "Family",
        list(dict.fromkeys(technique.family for technique in fitting)),
        default=first.family,
        required=True,
        format_func=str.capitalize,
        key=f"family-{artifact.id}-{begun}",
        wrap=True,
    )
    ids = [technique.id for technique in fitting if technique.family == family]
    id = st.radio(
        "Technique",
        ids,
        index=ids.index(first.id) if first.id in ids else 0,
        format_func=lambda id: TECHNIQUES[id].title,
        captions=[TECHNIQUES[id].sentence for id in ids],
        key=f"technique-{artifact.id}-{family}-{begun}",
    )
    why_not(reasons)
    return TECHNIQUES[id]


def why_not(reasons: dict[str, Trouble]) -> None:
    """Offer the reasons why other techniques do not fit."""
    if not reasons:
        return
    with st.popover(f"{len(reasons)} others do not apply", icon=":material/block:", type="tertiary"):
        for id, trouble in reasons.items():
            st.markdown(f"**{plain(TECHNIQUES[id].title)}**: {plain(trouble.message, 300)}")
