"""A form for the options that transforms declare; the declaration is the only place that knows them."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.domain.preprocessing import Preprocessing
from core.domain.recipe import Option
from core.domain.technique import Technique
from core.domain.transform import Converter, OptionField, option_fields


def form(steps: Sequence[Converter | Technique | Preprocessing], opened: bool, place: str = "") -> dict[str, Option]:
    """Ask for the options of each step, opened where some are needed, and return those that differ from their default.

    ``place`` tells one form on a page from another of the same steps.
    """
    declared = [(step, field) for step in steps for field in option_fields(step.Options)]
    if not declared:
        return {}
    with st.expander("Options", opened, icon=":material/tune:"):
        given = {
            field.name: (ask(key_of(field.name, step.id, place), field), field.default) for step, field in declared
        }
    return {name: value for name, (value, default) in given.items() if value != default}


def key_of(name: str, step: str, place: str) -> str:
    """Return under which key the session keeps an option of a step."""
    return f"option-{place}{step}-{name}"


def ask(key: str, field: OptionField) -> Any:
    """Ask for one option with the widget that suits its type and bounds; what the session holds under its key stands."""
    name = field.name.replace("_", " ")
    label = name.upper() if len(name) < 3 else name.capitalize()
    st.session_state.setdefault(key, field.default)
    if field.choices is not None:
        return st.selectbox(label, field.choices, help=field.help, key=key)
    if field.type is bool:
        return st.checkbox(label, help=field.help, key=key)
    if field.type in (int, float):
        low, high = (None if bound is None else field.type(bound) for bound in (field.low, field.high))
        return st.number_input(label, low, high, help=field.help, key=key)
    return st.text_input(label, help=field.help, key=key)
