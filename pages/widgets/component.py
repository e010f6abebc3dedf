"""A component of ours: its HTML, CSS and JavaScript lie beside the widget that draws it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

SHARED = Path(__file__).with_suffix(".css").read_text("utf-8")
"""How all of them look: progress, figures, words, focus."""


def beside(file: str, name: str) -> Callable[..., Any]:
    """Return the component whose three files have the name of a widget's own file."""
    html, css, js = (Path(file).with_suffix(f".{part}").read_text("utf-8") for part in ("html", "css", "js"))
    made: Callable[..., Any] = st.components.v2.component(name, html=html, css=SHARED + css, js=js)
    return made
