"""The models of a library as a list: searched, sorted, so many at a time, each result under what it was made from."""

import datetime
from collections.abc import Callable
from typing import Any

import streamlit as st

from core.answers.charts.bars import megabytes
from core.domain.artifact import Artifact
from core.domain.report import Parity, Verdict
from core.doors.workspace import current
from pages.visitor import visitor
from pages.widgets import summary
from pages.widgets.text import plain

ROWS = 25
"""Models that are shown at first, and with each press of the button below them."""
FEW = 6
"""As many are seen at a glance, without search."""
ORDERS: dict[str, Callable[[Artifact], Any]] = {
    "Newest first": lambda one: -one.created,
    "Name": lambda one: one.name.casefold(),
    "Largest first": lambda one: -one.size,
    "Format": lambda one: (summary.format_title(one.format).casefold(), one.name.casefold()),
}
MORE = "models-shown"


def show(found: list[Artifact]) -> None:
    """List models; a search or another order than by time puts each where it belongs, and not under its parent."""
    words, order = "", next(iter(ORDERS))
    if len(found) > FEW:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            words = st.text_input("Search", placeholder="Name or format", key="models-search", icon=":material/search:")
            order = st.selectbox("Sort", list(ORDERS), key="models-order", width=200)
    rows = arranged(found, words, order)
    shown = int(st.session_state.get(MORE, ROWS))
    for depth, artifact in rows[:shown]:
        row(depth, artifact)
    if not rows:
        st.caption("No model has these words in its name or format. Try fewer words.")
    elif len(rows) > shown:
        st.button(f"Show more: {shown:,} of {len(rows):,}", icon=":material/expand_more:", on_click=more, args=(shown,))


def more(shown: int) -> None:
    """Show so many more."""
    st.session_state[MORE] = shown + ROWS


def arranged(found: list[Artifact], words: str, order: str) -> list[tuple[int, Artifact]]:
    """Return the models that have all the words in name or format, in an order, each with its depth under its parent."""
    asked = words.casefold().split()
    if not asked and order == next(iter(ORDERS)):
        return tree(found)
    kept = [one for one in found if all(word in described(one) for word in asked)]
    return [(0, one) for one in sorted(kept, key=ORDERS[order])]


def described(artifact: Artifact) -> str:
    """Return the words by which a model is found."""
    return f"{artifact.name} {summary.format_title(artifact.format)} {artifact.sample or ''}".casefold()


def tree(found: list[Artifact]) -> list[tuple[int, Artifact]]:
    """Order artifacts so that each stands under its parent, with its depth."""
    known = {artifact.id for artifact in found}
    children: dict[str | None, list[Artifact]] = {}
    for artifact in found:
        children.setdefault(artifact.parent if artifact.parent in known else None, []).append(artifact)

    def below(parent: str | None, depth: int) -> list[tuple[int, Artifact]]:
        rows: list[tuple[int, Artifact]] = []
        for artifact in children.get(parent, []):
            rows += [(depth, artifact), *below(artifact.id, depth + 1)]
        return rows

    return below(None, 0)


def row(depth: int, artifact: Artifact) -> None:
    """Show one model as a line with its way in."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"{'↳ ' * depth}**{plain(artifact.name, 60)}**", width="stretch")
        proof = current().store.reports(visitor(), artifact.id, "parity")
        if proof:
            proven = proof[0].read(Parity).verdict is Verdict.PASS
            st.badge("proven" if proven else "not proven", color="green" if proven else "orange")
        st.badge(summary.format_title(artifact.format), color="gray")
        st.caption(megabytes(artifact.size), width=70)
        st.caption(f"{datetime.datetime.fromtimestamp(artifact.created):%Y-%m-%d %H:%M}", width=130)
        st.page_link("models.py", label="Open", icon=":material/visibility:", query_params={"model": artifact.id})
        st.page_link("convert.py", label="Convert", icon=":material/swap_horiz:", query_params={"model": artifact.id})
