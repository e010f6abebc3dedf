"""The memory that training takes: a form, and what was reckoned, for any batch size and optimizer."""

import streamlit as st

from core.answers.charts.bars import megabytes
from core.answers.charts.training import stacked
from core.domain.artifact import Artifact
from core.domain.job import Job, State
from core.domain.training_cost import FORMATS, WORKSPACE, Optimizer, Training, TrainingRequest
from core.domain.work import Subject
from core.formats import FORMATS as KINDS
from pages.visitor import place
from pages.widgets import consent, progress, testdata
from pages.widgets.figure import figure

GB = 1e9


def form(artifact: Artifact, job: Job | None) -> None:
    """Ask for data, whose shapes count, and submit; a format that torch cannot train is told so."""
    if artifact.format not in FORMATS:
        kinds = ", ".join(KINDS[name].title for name in FORMATS)
        st.caption(
            f"The memory of training is estimated for networks that torch can train: {kinds}. This is {KINDS[artifact.format].title}."
        )
        return
    data = testdata.choose(artifact, job)
    consent.ask(artifact)
    request = TrainingRequest(Subject.of(artifact), data)
    st.button(
        "Estimate training memory",
        type="secondary" if job is not None and job.state is State.DONE and job.verb == "training" else "primary",
        icon=":material/model_training:",
        disabled=not consent.given(artifact),
        width="stretch",
        on_click=progress.begin,
        args=(lambda: place().submit("training", request),),
    )
    st.caption("Some seconds. Nothing is trained: operators run for their shapes alone, and one small step for real.")


def show(artifact: Artifact, result: Training, ink: str) -> None:
    """Show what one step takes for the batch size and optimizer that are chosen, and the largest batch that fits."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox("Optimizer", list(Optimizer), index=3, key=f"optimizer-{artifact.id}")
        batch = st.number_input(
            "Batch size",
            1,
            1 << 20,
            32 if result.any_batch else result.batches[0],
            disabled=not result.any_batch,
            key=f"train-batch-{artifact.id}",
        )
        memory = st.number_input("Memory, GB", 0.1, 10_000.0, 8.0, 1.0, key=f"train-memory-{artifact.id}")
    optimizer = chosen or Optimizer.ADAM
    step = result.step(int(batch), optimizer)
    low, high = WORKSPACE
    largest = [result.largest(memory * GB, optimizer, share) for share in (high, low)]
    st.markdown(
        f"**One step of {optimizer} with a batch of {batch:,} takes {megabytes(step.total)}, and {megabytes(step.total * (1 + low))} "
        f"to {megabytes(step.total * (1 + high))} with the workspace of its kernels.**"
    )
    with st.grid(3, min_column_width=190):
        figure(
            "Memory of a step",
            megabytes(step.total),
            help="Weights, gradients, the optimizer's state and saved activations.",
        )
        figure(
            "Saved activations",
            megabytes(step.saved),
            f"{megabytes(result.per_sample)} a sample" if result.any_batch else None,
            delta_color="off",
            delta_arrow="off",
            help="What the way forward keeps for the way back.",
        )
        figure(
            f"Largest batch in {memory:g} GB",
            f"{largest[0]:,}",
            f"{largest[1]:,} at best",
            delta_color="off",
            delta_arrow="off",
            help=f"With {high:.0%} of workspace on top; the least that was seen is {low:.0%}.",
        )
    parts = {
        "weights": step.weights,
        "gradients": step.gradients,
        "optimizer": step.state,
        "activations": step.saved,
        "workspace, at most": round(step.total * high),
    }
    st.altair_chart(stacked(parts, ink), alt="Memory of one training step by owner")
    how = (
        "from small real steps, as this file cannot be run for its shapes alone"
        if result.measured
        else "without numbers being computed, and checked against a real step of two samples"
    )
    st.caption(
        f"Estimated {how}, at batches of {', '.join(map(str, result.batches))}. Dropout and normalisation as the file has them. "
        f"The range for the workspace of kernels ({low:.0%} to {high:.0%}) is that of five measured steps of other networks, not of this one."
    )
    if not result.linear:
        st.warning("The figures do not grow evenly with the batch size, so those for other sizes are uncertain.")
