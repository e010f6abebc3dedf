"""Techniques in a row: steps are added, changed and taken away, and what comes out goes into the next."""

from collections.abc import Sequence
from zlib import crc32

import streamlit as st

from core.domain.artifact import Artifact
from core.domain.recipe import Step
from core.domain.technique import Technique
from core.techniques import TECHNIQUES
from core.verbs.presets import PRESETS
from pages.widgets import options

MOST = 6
LAST = "clean_up"


def build(artifact: Artifact, first: Sequence[Step]) -> list[tuple[Technique, Step]]:
    """Ask for each step and its options; begin with those of the recipe that is on the page."""
    key = f"recipe-{artifact.id}-{crc32(repr(first).encode())}"
    if key not in st.session_state:
        fill(key, first or PRESETS[0].recipe.steps)
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
    steps: list[tuple[int, str]] = st.session_state[key]
    found = [ask(key, place, number, id, len(steps)) for place, (number, id) in enumerate(steps)]
    st.button(
        "Add a step", icon=":material/add:", key=f"{key}-add", disabled=len(steps) >= MOST, on_click=add, args=(key,)
    )
    return found


def begin(key: str) -> None:
    """Put a known recipe in the place of the steps."""
    id = st.session_state[f"{key}-preset"]
    for preset in PRESETS:
        if preset.id == id:
            fill(key, preset.recipe.steps)


def fill(key: str, steps: Sequence[Step]) -> None:
    """Put steps with their options into the form; each has a number that no step before it had."""
    known = [step for step in steps if step.transform in TECHNIQUES][:MOST]
    start = 1 + max((number for number, _ in st.session_state.get(key, [])), default=-1)
    st.session_state[key] = [(start + place, step.transform) for place, step in enumerate(known)] or [(start, LAST)]
    for place, step in enumerate(known):
        for name, value in step.options.items():
            st.session_state[options.key_of(name, step.transform, f"{key}-{start + place}-")] = value


def ask(key: str, place: int, number: int, id: str, steps: int) -> tuple[Technique, Step]:
    """Ask for one step; ``number`` stays with it when others go."""
    ids = [technique.id for technique in TECHNIQUES]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            picked = st.selectbox(
                f"Step {place + 1}",
                ids,
                index=ids.index(id),
                format_func=lambda id: TECHNIQUES[id].title,
                key=f"{key}-{number}",
            )
            st.button(
                "Remove",
                icon=":material/close:",
                key=f"{key}-remove-{number}",
                type="tertiary",
                disabled=steps == 1,
                on_click=remove,
                args=(key, place),
            )
        technique = TECHNIQUES[picked]
        st.caption(technique.sentence)
        return technique, Step(picked, options.form([technique], False, place=f"{key}-{number}-"))


def add(key: str) -> None:
    """Put one more step at the end."""
    steps = st.session_state[key]
    st.session_state[key] = [*steps, (max(number for number, _ in steps) + 1, LAST)]


def remove(key: str, place: int) -> None:
    """Take one step away."""
    st.session_state[key] = [step for at, step in enumerate(st.session_state[key]) if at != place]
