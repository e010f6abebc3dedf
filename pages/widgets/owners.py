"""The memory of one model by owner, and the least that its values between operators need."""

import streamlit as st

from core.answers.charts.bars import megabytes
from core.answers.charts.owners import shares
from core.domain.limits import MB
from core.domain.profile import Profile
from pages.widgets.text import plain


def show(result: Profile, ink: str) -> None:
    """Show the memory of one finished profile."""
    found, memory = result.owners, result.memory
    total = sum(one.megabytes for one in found)
    st.markdown(f"**{total:,.0f} MB in all while it answers**")
    st.altair_chart(shares(found, ink), alt="Bar chart of memory by owner")
    for one in found:
        st.caption(f"**{one.name}**: {one.what}")
    if result.start.python is None:
        st.caption("Python and the runtime are not in it: this runtime is loaded before a process of its kind begins.")
    if memory.load_peak > memory.inference_peak:
        st.caption(
            f"While the file is loaded it is {memory.load_peak - memory.inference_peak:,.1f} MB more for a moment."
        )
    if result.operators and result.operators.activations.node:
        least, seen = result.operators.activations, max(0.0, memory.inference_peak - memory.loaded)
        st.markdown("**What an answer adds**")
        st.markdown(
            f"Measured: {seen:,.1f} MB beyond what is held. At least {megabytes(least.bytes)} must live at once, at the "
            f"operator {plain(least.node)}; the difference is the kernels' workspace and what the allocator keeps."
            if seen * MB >= least.bytes
            else f"At least {megabytes(least.bytes)} must live at once, at the operator {plain(least.node)}. Measured "
            f"were {seen:,.1f} MB beyond what is held: the allocator had kept room from loading."
        )
