"""Where the time of a call goes: one sentence of advice first, then kinds, the roofline, every node, and the trace."""

import streamlit as st

from core.answers.charts.operators import roofline, rows, shares
from core.answers.charts.treemap import treemap
from core.domain.artifact import Artifact
from core.domain.operators import EngineTrace
from core.domain.profile import Profile
from core.techniques import TECHNIQUES
from pages.widgets import download
from pages.widgets.text import plain


def show(artifact: Artifact, result: Profile, ink: str) -> None:
    """Show the operators of one finished profile."""
    found = result.operators
    if found is None and result.engine is not None:
        engine(result, result.engine, ink)
        return
    if found is None:
        st.caption(
            "The runtime of this file does not tell the time of each operator. Convert the model to ONNX, and profile the "
            "result."
        )
        st.page_link("convert.py", label="Convert", icon=":material/swap_horiz:", query_params={"model": artifact.id})
        return
    advice(artifact, result)
    left, right = st.columns(2)
    with left:
        st.markdown("**Time by kind of operator**")
        st.altair_chart(shares(found, ink), alt="Bar chart of the share of time of each kind of operator")
        st.caption(
            f"The {found.calls:,} quietest calls of a trace on one thread; {found.inside:.0%} of a call lies in the operators, the rest "
            "hands out the work and writes the trace."
        )
    with right:
        st.markdown("**How near to what this machine can do**")
        if any(one.macs for one in found.nodes):
            st.altair_chart(roofline(found, ink), alt="Roofline: operations a second against operations a byte")
        else:
            st.caption("No operator of this model multiplies tensors, so there is no roofline.")
        st.caption(
            f"The roof is measured with ONNX Runtime itself: {found.roof.gflops:,.0f} GFLOP/s and "
            f"{found.roof.gbytes:,.0f} GB/s on one thread. Above 100 % the bytes came from a cache."
        )
    st.markdown("**Every operator by its share of the time**")
    st.altair_chart(treemap(found), alt="Treemap of the operators by time, coloured by what each waits for")
    with st.expander(f"All {len(found.nodes):,} operators", icon=":material/table_rows:"):
        st.dataframe(
            rows(found),
            hide_index=True,
            column_config={
                "share": st.column_config.ProgressColumn("share", format="percent", min_value=0.0, max_value=1.0),
                "microseconds": st.column_config.NumberColumn("µs", format="%.1f"),
                "runs": st.column_config.NumberColumn("runs", format="%.3g"),
                "MACs": st.column_config.NumberColumn("MACs", format="localized"),
                "GFLOP/s": st.column_config.NumberColumn("GFLOP/s", format="%.1f"),
                "FLOP/byte": st.column_config.NumberColumn("FLOP/byte", format="%.2f"),
                "of the roof": st.column_config.NumberColumn("of the roof", format="percent"),
            },
        )
        st.caption("The graph as it is served, after ONNX Runtime's own optimisation; channels that it pads count too.")
    trace(result)


def trace(result: Profile) -> None:
    """Offer the engine's events."""
    if result.trace:
        download.link("Download the trace", result.trace, "trace.json", "secondary", key=f"trace-{result.trace[:12]}")
        engine = result.engine.engine if result.engine else "ONNX Runtime"
        st.caption(f"{engine}'s own events in the form of Chrome's trace viewer; Perfetto opens it too.")


def engine(result: Profile, found: EngineTrace, ink: str) -> None:
    """Show what the engine itself tells of its operators: times, without work and bytes."""
    st.markdown(f"**Time by kind of operator, as {plain(found.engine)} tells it**")
    st.altair_chart(shares(found, ink), alt="Bar chart of the share of time of each kind of operator")
    st.caption(
        f"The {found.calls:,} quietest calls of a trace on one thread, which takes longer than a call without it. This engine tells "
        "no work and no bytes, so there is no roofline and no advice: convert the model to ONNX for those."
    )
    with st.expander(f"All {len(found.nodes):,} operators", icon=":material/table_rows:"):
        st.dataframe(
            [
                {
                    "operator": one.kind,
                    "name": one.name,
                    "share": one.microseconds / found.total,
                    "µs": one.microseconds,
                    "runs": one.runs,
                }
                for one in found.nodes
                if found.total
            ],
            hide_index=True,
            column_config={
                "share": st.column_config.ProgressColumn("share", format="percent", min_value=0.0, max_value=1.0),
                "µs": st.column_config.NumberColumn("µs", format="%.1f"),
                "runs": st.column_config.NumberColumn("runs", format="%.3g"),
            },
        )
    trace(result)


def advice(artifact: Artifact, result: Profile) -> None:
    """Say what the figures lead to, with the way there."""
    found = result.advice
    if found is None:
        return
    with st.container(border=True):
        st.markdown(f"**:material/lightbulb: {plain(found.sentence, 400)}**")
        if found.technique:
            st.caption("This follows from the figures and is not tried yet: Compress measures whether it holds.")
            st.page_link(
                "compress.py",
                label=f"Try {TECHNIQUES[found.technique].title}",
                icon=":material/compress:",
                query_params={"model": artifact.id, "technique": found.technique},
            )
