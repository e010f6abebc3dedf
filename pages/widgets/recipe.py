"""Techniques in a row: what comes out of one goes into the next."""

from collections.abc import Sequence
from zlib import crc32

import streamlit as st

from core.domain.artifact import Artifact
from core.domain.recipe import Step
from core.domain.technique import Technique
from core.techniques import TECHNIQUES
from core.verbs.presets import PRESETS
from pages.widgets import steps

LAST = "clean_up"
MOST = 6


def build(artifact: Artifact, first: Sequence[Step]) -> list[tuple[Technique, Step]]:
    """Ask for each step and its options; begin with those of the recipe that is on the page."""
    key = f"recipe-{artifact.id}-{crc32(repr(first).encode())}"
    if key not in st.session_state:
        steps.fill(key, TECHNIQUES, (first or PRESETS[0].recipe.steps)[:MOST], LAST)
    titles = {preset.id: preset.title for preset in PRESETS}
    st.selectbox(
        "Start from",
        list(titles),
        index=None,
        placeholder="A ready-made recipe",
        format_func=titles.__getitem__,
        key=f"{key}-preset",
        on_change=begin,
        args=(key,),
    )
    return steps.build(key, TECHNIQUES, LAST, MOST)


def begin(key: str) -> None:
    """Put a known recipe in the place of the steps."""
    id = st.session_state[f"{key}-preset"]
    for preset in PRESETS:
        if preset.id == id:
            steps.fill(key, TECHNIQUES, preset.recipe.steps[:MOST], LAST)
