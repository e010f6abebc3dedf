"""One model in every runtime: the form that says which, and what was found."""

import streamlit as st

from core.answers import repeat
from core.answers.charts.side_by_side import rows, side_by_side
from core.domain.artifact import Artifact
from core.domain.job import Job
from core.domain.side_by_side import SideBySide, SideBySideRequest
from core.domain.work import Subject
from core.doors.workspace import current
from core.formats import FORMATS
from core.runtimes import cannot_run, runtime_for
from core.verbs import lineage
from core.verbs.profile import MOST_SAMPLES
from core.verbs.side_by_side import reachable
from pages.visitor import visitor
from pages.widgets import consent, measuring, testdata
from pages.widgets.text import plain


def form(artifact: Artifact, job: Job | None) -> None:
    """Ask which conversions of the library take part and which are made on the way, for data and the samples of a call, and submit."""
    used = job.request if job is not None and isinstance(job.request, SideBySideRequest) else None
    found = lineage.conversions(current().store.artifacts(visitor()), artifact.id)
    kin = {one.id: one for one in found if not cannot_run(one.format)}
    taken = [one.artifact for one in used.others if one.artifact in kin] if used else list(kin)
    chosen = st.multiselect(
        "Conversions in your library",
        list(kin),
        taken,
        format_func=lambda id: f"{kin[id].name} · {runtime_for(kin[id].format).title}",
        help="Files that were converted from this model, or from which this model was converted.",
        key=f"kin-{artifact.id}",
    )
    there = {artifact.format, *(one.format for one in kin.values())}
    missing = [format for format in reachable(artifact.format) if format not in there]
    formats = st.multiselect(
        "Also convert to",
        missing,
        [one for one in used.formats if one in missing] if used else missing,
        format_func=lambda format: f"{FORMATS[format].title} · {runtime_for(format).title}",
        help="Each result is proven as on the Convert page, and then dropped. To keep one, convert the model there.",
        key=f"way-{artifact.id}",
    )
    data = testdata.choose(artifact, job)
    batch = st.number_input(
        "Samples in a call", 1, MOST_SAMPLES, used.batch if used else 1, key=f"side-batch-{artifact.id}"
    )
    opened = [artifact, *(kin[id] for id in chosen)]
    for one in opened:
        consent.ask(one)
    others = tuple(Subject.of(kin[id]) for id in chosen)
    request = SideBySideRequest(Subject.of(artifact), others, tuple(formats), data, int(batch))
    words = "Run side by side", "Run again"
    measuring.button("side_by_side", request, job, words, ":material/view_week:", opened if others or formats else ())
    if not (kin or missing):
        st.caption("There is nothing to compare: no converter here leads to a format that another runtime opens.")
    else:
        st.caption("About 15 seconds for each file. It is timed in turns with this one, in random order.")


def show(job: Job, ink: str) -> None:
    """Show the sentence, the chart and the table, and the command that repeats it."""
    result: SideBySide = job.result
    st.markdown(f"**{plain(result.sentence, 400)}**")
    if any(one.race and one.parity for one in result.ways):
        st.altair_chart(
            side_by_side(result, ink), alt="Speed of each runtime beside the model's own, with its interval"
        )
    found = [{key: plain(value, 200) for key, value in row.items()} for row in rows(result)]
    st.table(found, border="horizontal", hide_index=True)
    st.caption(
        f"Processor time in pairs on one thread, batch {result.batch}: above 1x is faster than {result.runtime}. Answers are "
        "compared as on Convert. Memory is the peak beyond a process that has imported the runtime, in three fresh processes."
    )
    if any(one.race and one.race.disturbed for one in result.ways):
        st.caption(
            "Other work kept this machine busy. The ratios still hold, but fewer are clear; run again when it is quiet."
        )
    with st.expander("The command that repeats it", icon=":material/science:"):
        st.code(repeat.side_by_side(job.request), language="bash")
