"""What the cost of a model hangs on: the form that names its variants, and what was found along each factor."""

import streamlit as st

from core.answers import repeat
from core.answers.charts.bars import megabytes
from core.answers.charts.curves import curve
from core.answers.charts.factors import complexity, growth
from core.domain.artifact import Artifact
from core.domain.factors import Factors, FactorsRequest, Variant
from core.domain.job import Job
from core.domain.work import Subject
from core.doors.workspace import current
from core.runtimes import cannot_run
from core.verbs import lineage
from pages.visitor import visitor
from pages.widgets import consent, measuring, testdata
from pages.widgets.text import count, plain

MOST = 8
"""Variants that are chosen at first."""


def form(artifact: Artifact, job: Job | None) -> None:
    """Ask which variants take part and for data, and submit."""
    used = job.request if job is not None and isinstance(job.request, FactorsRequest) else None
    found = lineage.variants(current().store.artifacts(visitor()), artifact.id)
    kin = {one.id: one for one in found if not cannot_run(one.format)}
    first = [one.artifact for one in used.variants if one.artifact in kin] if used else list(kin)[:MOST]
    chosen = st.multiselect(
        "Variants in your library",
        list(kin),
        first,
        format_func=lambda id: f"{kin[id].name} · {megabytes(kin[id].size)}",
        help="Models of this format that go back to the same upload: each shows what more or less complexity costs.",
        key=f"variants-{artifact.id}",
    )
    data = testdata.choose(artifact, job)
    opened = [artifact, *(kin[id] for id in chosen)]
    for one in opened:
        consent.ask(one)
    request = FactorsRequest(Subject.of(artifact), tuple(Subject.of(kin[id]) for id in chosen), data)
    words = "Measure the factors", "Measure again"
    measuring.button("factors", request, job, words, ":material/monitoring:", opened)
    st.caption("Some seconds for each size, number of threads and variant. To compare runtimes, choose Runtimes above.")


def show(job: Job, ink: str) -> None:
    """Show the sentences, then data, model and infrastructure one after the other, and the command that repeats it."""
    result: Factors = job.result
    st.markdown(f"**{plain(result.sentence, 900)}**")
    st.markdown("##### Size of the data")
    if not result.grown.axes:
        st.caption("Every input of this model has a fixed size, so none could be varied.")
    for pair in (result.grown.axes[n : n + 2] for n in range(0, len(result.grown.axes), 2)):
        for column, one in zip(st.columns(2), pair, strict=False):
            column.altair_chart(growth(one), alt=f"Milliseconds of a call by {one.axis}, on log scales")
    if result.grown.axes:
        st.caption(
            "Processor time on one thread. The exponent is the power of the size with which the time grows over the larger sizes: "
            "1 is in proportion, 2 with the square. Other sizes than the recorded ones hold the same inputs cut off or repeated."
        )
    st.markdown("##### Complexity of the model")
    variants(result.variants, ink)
    st.markdown("##### Infrastructure")
    if result.grown.threads:
        st.altair_chart(curve(result.grown.threads, "threads", None, None), alt="Milliseconds of a call by threads")
        st.caption(
            "One thread is measured in processor time, more threads by the clock, which other work on this machine stretches."
        )
    else:
        st.caption(
            f"Not measured: {result.runtime} runs on a fixed number of threads here, or this machine has one core."
        )
    with st.expander("The command that repeats it", icon=":material/science:"):
        st.code(repeat.factors(job.request), language="bash")


def variants(found: tuple[Variant, ...], ink: str) -> None:
    """Show time against complexity, and the table behind it."""
    if len(found) < 2:
        st.caption(
            "No variant of this model took part. Make one on the Compress page, choose it above and measure again."
        )
        return
    if sum(one.cpu is not None for one in found) > 1:
        st.altair_chart(complexity(found, ink), alt="Milliseconds of a call by the complexity of the model")
    st.table([_row(one) for one in found], border="horizontal", hide_index=True)


def _row(one: Variant) -> dict[str, str]:
    race = one.race
    return {
        "Model": plain(one.model.name, 60),
        "Parameters": count(one.parameters),
        "MACs": "" if one.macs is None else count(one.macs),
        "File": megabytes(one.model.size),
        "ms a call": "" if one.cpu is None else f"{one.cpu:.3g}",
        "Speed": f"{race.ratio:.2f}x, {race.pace}" if race else plain(one.trouble, 200),
        "95 %": f"{race.low:.2f} to {race.high:.2f}" if race else "",
    }
