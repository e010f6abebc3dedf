"""All variants of one model: a chart to choose from, a table with their lineage, and any two beside each other."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.answers.charts.bars import megabytes
from core.answers.charts.variants import COLUMNS, changed, pareto, shown, variants
from core.domain.compression import Compression
from core.domain.job import Job
from pages.widgets.text import plain

HEADS = {"variant": "variant", "family": "family", **COLUMNS, "lineage": "made from"}
CHART = "variants-chart"


def chart(jobs: list[Job], ink: str) -> None:
    """Chart quality against size of the finished compressions of one model; a click on a point shows that one."""
    rows = [row for row in listed(jobs) if row["quality"] is not None]
    st.markdown("**Quality against size of all variants**")
    if not rows:
        st.caption("No quality was measured: add a data set with labels, and each variant becomes a point here.")
        return
    st.altair_chart(
        pareto(rows, ink),
        alt="Quality against size of every variant, by family",
        on_select=choose,
        selection_mode="variant",
        key=CHART,
    )
    st.caption("Click a point to see that variant. Variants with a name are the best of their size.")


def section(jobs: list[Job]) -> None:
    """List the finished compressions of one model, and set any two beside each other."""
    if not jobs:
        return
    rows = listed(jobs)
    with st.expander(f"All variants of this model, {len(jobs):,}", icon=":material/table:"):
        table = [{name: plain(row.get(key, ""), 160) for key, name in HEADS.items()} for row in rows]
        st.table(table, border="horizontal", hide_index=True)
        if len(jobs) > 1:
            compare(rows, [(job, job.result) for job in jobs])


def listed(jobs: list[Job]) -> list[dict[str, Any]]:
    """Return a row for each finished compression, and the original last."""
    rows = variants([job.result for job in jobs])
    for row, job in zip(rows, jobs, strict=False):
        row |= {"job": job.id, "lineage": lineage(job.result)}
    return rows


def choose() -> None:
    """Put the variant whose point was clicked into the address."""
    points = st.session_state[CHART].selection.get("variant", [])
    job = next((point["job"] for point in points if point.get("job")), None)
    if job:
        st.query_params["job"] = job


def lineage(result: Compression) -> str:
    """Say in short hashes how a variant came to be."""
    chain = [result.source, *(step.model for step in result.steps)]
    return " → ".join(one.sha256[:8] for one in chain)


def compare(rows: list[dict[str, Any]], done: list[tuple[Job, Compression]]) -> None:
    """Set two variants side by side."""
    names = {job.id: f"{row['variant']} · {row['size']}" for row, (job, _) in zip(rows, done, strict=False)}
    results = {job.id: result for job, result in done}
    ids = list(names)
    st.markdown("**Compare two**")
    left, right = st.columns(2)
    first = left.selectbox("This", ids, format_func=names.__getitem__, key="compare-first")
    second = right.selectbox("with", ids, index=1, format_func=names.__getitem__, key="compare-second")
    st.table(side_by_side(results[first], results[second]), border="horizontal", hide_index=True)
    st.caption(
        "Each speed was measured in pairs against the original; the two variants were not run against each other."
    )


def side_by_side(first: Compression, second: Compression) -> list[dict[str, str]]:
    """Return one row a figure, with both values."""
    rows = [(name, of(first), of(second)) for name, of in FIGURES.items()]
    return [{"": name, "this": plain(one, 160), "with": plain(other, 160)} for name, one, other in rows]


def flips(result: Compression) -> str:
    """Write the changed predictions on held-out samples."""
    found = changed(result)
    return f"{found.k:,} of {found.n:,}" if found else "not measured"


def speed(result: Compression) -> str:
    """Write the paired ratio with its interval."""
    race = result.speed
    return f"{race.ratio:.2f}x ({race.low:.2f} to {race.high:.2f})"


def sent(result: Compression) -> str:
    """Write the download size."""
    how, before, after = result.size.download()
    return f"{megabytes(after)} {how} ({before / max(1, after):.2f}x smaller)"


FIGURES: dict[str, Callable[[Compression], str]] = {
    "file size": lambda one: f"{megabytes(one.size.after)} ({one.size.ratio:.2f}x smaller)",
    "download size": sent,
    "quality on held-out samples": lambda one: shown(one.quality.after) if one.quality else "not measured",
    "changed predictions": flips,
    "speed": speed,
    "peak memory": lambda one: f"{one.memory.after.peak:.1f} MB",
    "verdict": lambda one: str(one.parity.verdict),
}
