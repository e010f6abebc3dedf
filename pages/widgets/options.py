"""A form for the options that transforms declare; the declaration is the only place that knows them."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.domain.transform import Converter, OptionField, option_fields


def form(steps: Sequence[Converter], opened: bool) -> dict[str, Any]:
    """Ask for the options of each step, opened where some are needed, and return those that differ from their default."""
    declared = [(step, field) for step in steps for field in option_fields(step.Options)]
    if not declared:
        return {}
    with st.expander("Options", opened, icon=":material/tune:"):
        given = {field.name: (ask(step, field), field.default) for step, field in declared}
    return {name: value for name, (value, default) in given.items() if value != default}


def ask(step: Converter, field: OptionField) -> Any:
    """Ask for one option with the widget that suits its type and bounds."""
    name = field.name.replace("_", " ")
    label, key = name.upper() if len(name) < 3 else name.capitalize(), f"option-{step.id}-{field.name}"
    if field.choices is not None:
        return st.selectbox(
            label, field.choices, index=list(field.choices).index(field.default), help=field.help, key=key
        )
    if field.type is bool:
        return st.checkbox(label, field.default, help=field.help, key=key)
    if field.type in (int, float):
        low, high = (None if bound is None else field.type(bound) for bound in (field.low, field.high))
        return st.number_input(label, low, high, field.default, help=field.help, key=key)
    return st.text_input(label, field.default, help=field.help, key=key)
