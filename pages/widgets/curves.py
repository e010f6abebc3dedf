"""Other sizes of a call and other numbers of threads, and which of them answers most within a limit."""

from dataclasses import replace

import streamlit as st

from core.answers.charts.curves import curve
from core.domain.artifact import Artifact
from core.domain.job import Job
from core.domain.profile import Profile
from pages.visitor import place
from pages.widgets import progress


def show(artifact: Artifact, job: Job) -> None:
    """Show both curves of a finished profile, or offer to measure them."""
    result: Profile = job.result
    found = result.curves
    if found is None:
        st.caption("How does the time grow with the samples in a call, and what do more threads win?")
        st.button(
            "Measure the curves",
            icon=":material/show_chart:",
            key=f"curves-{job.id}",
            on_click=progress.begin,
            args=(lambda: place().submit("profile", replace(job.request, curves=True, after=None)),),
        )
        return
    points = (*found.batches, *found.threads)
    if not points:
        st.caption("This model takes one number of samples alone, and its runtime one number of threads.")
        return
    middle = sorted(one.latency for one in points)[len(points) // 2]
    limit = st.number_input(
        "A call may take, ms", 0.0, None, float(f"{2 * middle:.2g}"), format="%g", key=f"limit-{artifact.id}"
    )
    best = found.sweet(limit)
    if best is None:
        least = min(one.latency for one in points)
        st.markdown(f"**Nothing here answers within {limit:g} ms; the shortest call takes {least:.3g} ms.**")
    else:
        st.markdown(
            f"**{best.batch} sample{'s' * (best.batch > 1)} in a call on {best.threads} thread{'s' * (best.threads > 1)} "
            f"answer most within {limit:g} ms: {best.rate:,.0f} samples a second, {best.latency:.3g} ms a call.**"
        )
    for column, (along, some) in zip(
        st.columns(2), (("batch", found.batches), ("threads", found.threads)), strict=True
    ):
        with column:
            if some:
                words = "samples in a call" if along == "batch" else "threads"
                st.altair_chart(curve(some, along, best, limit), alt=f"Milliseconds of a call by {words}")
            else:
                st.caption("One number of samples alone." if along == "batch" else "One number of threads alone.")
    st.caption(
        "On one thread the time is the processor's, which holds on a busy machine; on several it is the clock's. Each "
        "point is a second of calls."
    )
