"""The graph of a model, drawn by Netron in a sandbox from a copy without weights."""

from urllib.parse import urlencode

import streamlit as st

from core.domain.reach import base
from core.doors.routes import links


def viewer(sha256: str, name: str, height: int = 520) -> None:
    """Draw the weightless ONNX graph stored as ``sha256``; ``name`` is what the viewer calls it."""
    stem = links.safe_name(name).rpartition(".")[0] or "model"
    query = urlencode({"url": links.graph_link(sha256, f"{stem}.onnx"), "identifier": f"{stem}.onnx"})
    st.iframe(f"{base()}/netron/?{query}", height=height, alt=f"Graph of {name}")
