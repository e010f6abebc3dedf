"""What a file says about itself: figures, risks, inputs, graph, operators, weights, lineage."""

from collections.abc import Sequence

import streamlit as st

from core.answers.charts.bars import megabytes, operators
from core.domain.artifact import Artifact, TensorSpec
from core.domain.format import Layer, Risk, Summary
from core.domain.ingestion import Ingested
from core.doors.workspace import current
from core.formats import FORMATS
from pages.visitor import visitor
from pages.widgets import graph
from pages.widgets.figure import figure
from pages.widgets.text import count, plain, shape

RISKS = {
    "info": ("gray", "note"),
    "warning": ("orange", "please check"),
    "consent": ("orange", "needs your consent"),
    "refuse": ("red", "refused"),
}


def format_title(format: str) -> str:
    """Return a format's title for a badge."""
    return FORMATS[format].title if format in FORMATS else format


def show(artifact: Artifact, ink: str) -> None:
    """Show the summary of one model."""
    reports = current().store.reports(visitor(), artifact.id, "summary")
    if not reports:
        st.caption("This file has no summary yet.")
        return
    report = reports[0].read(Ingested)
    facts = report.summary
    figures(artifact, facts)
    risks(facts.risks)
    interface, picture, inside, weights, lineage = st.tabs(
        ["Inputs and outputs", "Graph", "Operators", "Weights", "Lineage"]
    )
    with interface:
        specs("Inputs", facts.inputs)
        specs("Outputs", facts.outputs)
    with picture:
        drawing(artifact, report.graph)
    with inside:
        counted(facts.operators, ink)
    with weights:
        layers(facts.layers)
    with lineage:
        ancestry(artifact)


def figures(artifact: Artifact, facts: Summary) -> None:
    """Show the six figures that people look for first."""
    with st.grid(4, min_column_width=170):
        figure("Size", megabytes(artifact.size), help=f"{artifact.size:,} bytes")
        parameters = facts.parameters
        figure(
            "Parameters",
            count(parameters),
            help=f"{parameters:,}" if parameters else None,
        )
        figure("Precision", facts.precision or "not known")
        operators = facts.operators
        figure("Operators", count(sum(operators.values())) if operators else "not known")
    words = [f"sha256 {artifact.sha256[:16]}…"]
    words += [f"made by {plain(facts.producer, 80)}"] if facts.producer else []
    words += [f"opset {facts.opset}"] if facts.opset else []
    words += [f"{facts.sparsity:.1%} of the weights are zero"] if (facts.sparsity or 0) >= 0.001 else []
    words += ["needs " + ", ".join(plain(name, 40) for name in facts.dependencies)] if facts.dependencies else []
    st.caption(" · ".join(words))


def risks(found: Sequence[Risk]) -> None:
    """Show the findings of the audit, or say that there are none."""
    if not found:
        st.markdown(":green-badge[:material/verified_user: audit] No code and nothing unusual found in this file.")
    for risk in found:
        colour, word = RISKS[risk.level]
        where = f" ({plain(risk.where)})" if risk.where else ""
        st.markdown(f":{colour}-badge[{word}] {plain(risk.what, 400)}{where}")


def specs(title: str, rows: Sequence[TensorSpec]) -> None:
    """Show inputs or outputs with type and shape."""
    st.markdown(f"**{title}**")
    if not rows:
        st.caption("This format does not state them; they become known when the model runs.")
        return
    table = [{"name": plain(r.name), "type": plain(r.dtype), "shape": plain(shape(r.shape))} for r in rows[:200]]
    st.table(table, border="horizontal", hide_index=True)


def drawing(artifact: Artifact, sha256: str | None) -> None:
    """Show the graph without its weights, or say why there is none."""
    if sha256 is None:
        st.caption(f"{format_title(artifact.format)} files contain no graph to draw. Convert to ONNX to see one.")
        return
    st.caption("The graph is drawn in your browser from a copy without weights.")
    graph.viewer(sha256, artifact.name)


def counted(found: dict[str, int] | None, ink: str) -> None:
    """Show how often each operator stands in the graph."""
    if not found:
        st.caption("This format names no operators.")
        return
    st.altair_chart(operators(found, ink), alt="Bar chart of how often each operator occurs in the graph")
    if len(found) > 25:
        st.caption(f"The 25 most frequent of {len(found)} operators.")


def layers(rows: Sequence[Layer]) -> None:
    """Show the weight tensors."""
    if not rows:
        st.caption("This format lists no weights.")
        return
    table = [{"name": r.name, "type": r.dtype, "shape": shape(r.shape)} for r in rows]
    st.dataframe(table, hide_index=True, height=360, alt="Table of weight tensors")


def ancestry(artifact: Artifact) -> None:
    """Show where the model comes from and what was made from it."""
    store = current().store
    for depth, one in enumerate(store.lineage(visitor(), artifact.id)):
        step = f" by {plain(one.step.transform)}" if one.step else ""
        link(one, "↳ " * depth, step, one.id == artifact.id)
    for child in store.children(visitor(), artifact.id):
        link(child, "made from it: ", f" by {plain(child.step.transform)}" if child.step else "", False)


def link(artifact: Artifact, lead: str, step: str, here: bool) -> None:
    """Show one line of a lineage; a link unless it is the model on the page."""
    label = f"{lead}{plain(artifact.name, 60)} · {format_title(artifact.format)}, {megabytes(artifact.size)}{step}"
    if here:
        st.markdown(f"**{label}**")
    else:
        st.page_link("models.py", label=label, query_params={"model": artifact.id})
