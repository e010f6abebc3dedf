"""Entries of a shelf in a row, each with its options: steps are added, changed and taken away."""

from collections.abc import Sequence
from typing import TypeVar

import streamlit as st

from core.domain.preprocessing import Preprocessing
from core.domain.recipe import Step
from core.domain.shelf import Shelf
from core.domain.technique import Technique
from pages.widgets import options

T = TypeVar("T", Technique, Preprocessing)


def build(key: str, shelf: Shelf[T], new: str, most: int) -> list[tuple[T, Step]]:
    """Ask for each step and its options; ``new`` is what a step begins as that is added at the end, while there are fewer than ``most``."""
    steps: list[tuple[int, str]] = st.session_state[key]
    found = [ask(key, shelf, place, number, id) for place, (number, id) in enumerate(steps)]
    full = len(steps) >= most
    st.button("Add a step", icon=":material/add:", key=f"{key}-add", disabled=full, on_click=add, args=(key, new))
    return found


def fill(key: str, shelf: Shelf[T], steps: Sequence[Step], new: str) -> None:
    """Put steps with their options into the form; each has a number that no step before it had."""
    known = [step for step in steps if step.transform in shelf]
    start = 1 + max((number for number, _ in st.session_state.get(key, [])), default=-1)
    st.session_state[key] = [(start + place, step.transform) for place, step in enumerate(known)] or [(start, new)]
    for place, step in enumerate(known):
        for name, value in step.options.items():
            st.session_state[options.key_of(name, step.transform, f"{key}-{start + place}-")] = value


def ask(key: str, shelf: Shelf[T], place: int, number: int, id: str) -> tuple[T, Step]:
    """Ask for one step; ``number`` stays with it when others go."""
    ids = [entry.id for entry in shelf]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            picked = st.selectbox(
                f"Step {place + 1}",
                ids,
                index=ids.index(id),
                format_func=lambda id: shelf[id].title,
                key=f"{key}-{number}",
            )
            st.button(
                "Remove",
                icon=":material/close:",
                key=f"{key}-remove-{number}",
                type="tertiary",
                disabled=len(st.session_state[key]) == 1,
                on_click=remove,
                args=(key, place),
            )
        entry = shelf[picked]
        st.caption(entry.sentence)
        return entry, Step(picked, options.form([entry], False, place=f"{key}-{number}-"))


def add(key: str, new: str) -> None:
    """Put one more step at the end."""
    steps = st.session_state[key]
    st.session_state[key] = [*steps, (max(number for number, _ in steps) + 1, new)]


def remove(key: str, place: int) -> None:
    """Take one step away."""
    st.session_state[key] = [step for at, step in enumerate(st.session_state[key]) if at != place]
