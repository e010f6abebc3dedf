"""What the card of a sample says of a model that descends from it: its task, classes, accuracy, data and licence."""

import streamlit as st

from core.domain.artifact import Artifact
from core.doors.samples import sample
from core.doors.workspace import current
from pages.visitor import visitor
from pages.widgets.text import plain

FEW_CLASSES = 12


def show(artifact: Artifact) -> None:
    """Say where the model comes from, if that is a sample; the accuracy is that of the sample itself, with its samples."""
    root = current().store.lineage(visitor(), artifact.id)[0]
    found = sample(root.sample) if root.sample else None
    if found is None:
        return
    card, accuracy = found.card, found.card["accuracy"]
    classes = card.get("classes") or []
    words = [str(card["sentence"])]
    if classes:
        named = f": {', '.join(classes)}" if len(classes) <= FEW_CLASSES else ""
        words.append(f"{len(classes)} classes{named}.")
    words.append(
        f"The sample itself is right on {accuracy['k']:,} of {accuracy['n']:,} ({accuracy['value']:.1%}; {accuracy['on']})."
    )
    words.append(
        f"Data: {card['dataset']['name']}, licence {card['dataset']['licence']}. Model: licence {card['licence']}."
    )
    st.caption(f":material/science: **{plain(card['title'])}**, {plain(card['task'])}. " + plain(" ".join(words), 900))
