"""What a compression did inside: class by class, and to the weights tensor by tensor."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.answers.charts.classes import class_changes, class_rows
from core.answers.charts.weights import histogram, layer_rows, layer_sizes
from core.domain.compression import Compression
from core.domain.measures import Qualities
from core.domain.weight_change import WeightChange
from pages.widgets.text import plain, shape


def section(result: Compression, ink: str) -> None:
    """Show both where they were measured."""
    classes(result.quality, ink)
    weights(result.weights, ink)


def classes(quality: Qualities | None, ink: str) -> None:
    """Chart what each class lost or won, and name the worst one."""
    if not quality or not quality.after.classes:
        return
    rows = class_rows(quality.before, quality.after)
    with st.expander(f"Class by class: {worst(rows)}", icon=":material/category:"):
        st.altair_chart(class_changes(rows, ink), alt="Change in the share of right answers, class by class")
        lowest = min(rows, key=lambda row: row["after"])
        st.caption(
            f"Share of the held-out samples of each class. The class with the lowest share now is {plain(lowest['name'])}: {lowest['after']:.1%}."
        )


def worst(rows: list[dict[str, Any]]) -> str:
    """Say which class lost most."""
    first = rows[0]
    if first["change"] >= 0:
        return "no class lost"
    return f"class {plain(first['name'])} lost most, {first['label']}"


def weights(changes: Sequence[WeightChange], ink: str) -> None:
    """Chart the bytes of each tensor before and after, and the distribution of one of them."""
    rows = layer_rows(changes)
    if not rows:
        return
    with st.expander("Layer by layer", icon=":material/layers:"):
        st.altair_chart(layer_sizes(rows, ink), alt="Bytes of each tensor of weights before and after")
        st.table([facts(one) for one in changes], border="horizontal", hide_index=True)
        drawn = {one.name: one.histogram for one in changes if one.histogram}
        if drawn:
            name = st.selectbox("Weights of", list(drawn), key="weights-of")
            st.altair_chart(histogram(drawn[name]), alt="Distribution of the weights before and after")
            st.caption("Grey: before; blue: after.")


def facts(one: WeightChange) -> dict[str, str]:
    """Return one tensor as a row of the table."""
    return {
        "tensor": plain(one.name, 60),
        "shape": shape(one.shape),
        "shape now": "stored differently" if one.shape_after is None else shape(one.shape_after),
        "zeros": "" if one.zeros is None else f"{one.zeros:,}",
        "different values": "" if one.values is None else f"{one.values:,}",
        "moved by": "" if one.moved is None else f"{one.moved:.2%}",
    }
