"""The proof on the page: a verdict that nobody can miss, the figures behind it, and only then a download."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import streamlit as st

from core.answers.bundle import usage
from core.answers.charts.bars import before_after, megabytes, size_rows
from core.answers.charts.parity import differences
from core.domain.compression import Compression
from core.domain.conversion import Conversion
from core.domain.evaluation import Evaluation
from core.domain.measures import Qualities, Sizes
from core.domain.report import Count, Parity, Quality, Verdict
from core.domain.work import Bundle, NamedModel
from pages.widgets import browser_run, download, onward
from pages.widgets.figure import figure
from pages.widgets.summary import format_title
from pages.widgets.text import answer_and_rest, plain, small


def conversion(result: Conversion, made: str, ink: str) -> None:
    """Show a finished conversion, whose last artifact is ``made``: the answer, its figures and charts, then what it rests on."""
    with answer(result):
        verdict(result.parity, result.guilty)
    if result.lost:
        st.warning(plain(" ".join(result.lost), 1500), icon=":material/inventory_2:")
    figures(result)
    left, right = st.columns(2)
    with left.container(border=True, height="stretch"):
        sizes(result.size, ink)
    with right.container(border=True, height="stretch"):
        gaps(result.parity, ink)
    onward.section(made, "convert.py")
    used(result)
    asked(result.parity)
    metric(result.quality)
    reading(result.read)
    route(result)
    checks(result.parity)
    browser_run.section(result, made)
    if result.bundle and (lines := usage(result)):
        with st.expander("Run it", icon=":material/code:"):
            st.code(lines, language="python")


def answer(result: Conversion | Compression, packed: Bundle | None = None) -> AbstractContextManager[Any]:
    """Return the place of the verdict, with the downloads beside it where there are any; ``packed`` is the bundle with the model packed."""
    if result.bundle is None or result.parity.verdict is Verdict.FAIL:
        return st.container()
    words, files = st.columns([3, 1])
    with files:
        take_away(result.parity.verdict, result.bundle, result.artifact, packed)
    return words


def comparison(result: Evaluation, ink: str) -> None:
    """Show a finished comparison of two files; there is nothing to download."""
    against = result.against
    if against is None:
        if result.quality:
            quality(None, result.quality)
        others(result)
        reading(result.read)
        return
    verdict(against.parity)
    asked(against.parity)
    if result.quality:
        quality(against.quality, result.quality)
    metric(result.qualities)
    others(result)
    reading(result.read)
    with st.container(border=True):
        gaps(against.parity, ink)
    checks(against.parity)


def others(result: Evaluation) -> None:
    """Show what other metrics say, before and after where two models were compared."""
    if not result.figures:
        return
    before = {one.id: one for one in result.before}
    rows = [
        {
            "Metric": one.title,
            **({"Compared with": before[one.id].value} if one.id in before else {}),
            "This model": one.value,
            "Better is": "more" if one.higher else "less",
            "Samples": one.samples,
        }
        for one in result.figures
    ]
    st.dataframe(rows, hide_index=True)


def used(result: Conversion | Compression) -> None:
    """Say what the verdict rests on, which may be other than what the form shows by now."""
    st.caption(":material/checklist: " + plain(result.used, 600))


def metric(both: Qualities | None) -> None:
    """Say what the metric of the user's data says of both files, beside the verdict on their answers."""
    if both and both.loss:
        st.caption(":material/rule: " + plain(" ".join(both.told), 900))


def reading(sentences: Sequence[str]) -> None:
    """Say how the data was read, so that nothing is assumed without a word."""
    if sentences:
        st.caption(":material/table_view: " + plain(" ".join(sentences), 1500))


def verdict(parity: Parity, guilty: str | None = None) -> None:
    """Say PASS, FAIL or NOT PROVEN in words and colour, with the reason, the guilty step and the place where they part."""
    words = {
        "PASS": (st.success, ":material/verified:", "**PASS. Both files give the same answers.**"),
        "FAIL": (
            st.error,
            ":material/dangerous:",
            "**FAIL. The converted file does not give the same answers. Do not use it.**",
        ),
        "NOT PROVEN": (
            st.warning,
            ":material/help:",
            "**NOT PROVEN. Whether both files always give the same answers is not settled.**"
            if parity.checks
            else "**NOT PROVEN. The file was written, but no runtime on this machine can run it.**",
        ),
    }
    box, icon, heading = words[parity.verdict]
    lines, (answered, _) = [heading], answer_and_rest(parity.reason)
    if answered:
        lines.append(plain(answered, 1200))
    if guilty:
        lines.append(plain(guilty, 500))
    if parity.diverges_at:
        lines.append(f"First operator with different values: {plain(parity.diverges_at, 300)}")
    if parity.verdict is Verdict.FAIL:
        lines.append("A file that failed its proof cannot be downloaded.")
    box("\n\n".join(lines), icon=icon)


def asked(parity: Parity) -> None:
    """Say what was asked to come to the verdict."""
    if rest := answer_and_rest(parity.reason)[1]:
        st.caption(":material/quiz: " + plain(rest, 4000))


def take_away(verdict: Verdict, bundle: Bundle, artifact: NamedModel, packed: Bundle | None) -> None:
    """Offer the bundle, and behind a menu the bare file and the bundle with the model packed."""
    if verdict is Verdict.PASS:
        download.link(f"Download with evidence ({megabytes(bundle.size)})", bundle.sha256, bundle.name, "primary")
    else:
        download.link(f"Download, not proven ({megabytes(bundle.size)})", bundle.sha256, bundle.name, "secondary")
    with st.popover("Other downloads", icon=":material/download:", width="stretch"):
        download.link(f"Model only ({megabytes(artifact.size)})", artifact.sha256, artifact.name, "secondary")
        if packed:
            words = f"Compressed download ({megabytes(packed.size)})"
            download.link(words, packed.sha256, packed.name, "secondary", key=f"travel-{packed.sha256[:12]}")
            st.caption("The same evidence with the model packed; `python unpack.py` restores it byte for byte.")


def figures(result: Conversion) -> None:
    """Show the figures that decide."""
    parity, size = result.parity, result.size
    flips = parity.top1_flips
    limit = parity.tolerance.absolute if parity.tolerance and parity.tolerance.bounds else 0.0
    with st.grid(4, min_column_width=160):
        figure(
            "Largest difference",
            small(parity.max_abs) if parity.checks else "not run",
            delta_description=f"limit {limit:g}" if parity.checks and parity.max_abs <= limit else None,
            help="Largest absolute difference over all answers",
        )
        figure(
            "Changed predictions",
            f"{flips.k:,}" if flips else "none",
            delta_description=f"of {flips.n:,} samples" if flips else None,
            help=flips_help(flips),
        )
        change = size.after / size.before - 1
        figure(
            "File size",
            megabytes(size.after),
            f"{change:+.0%}" if abs(change) >= 0.005 else None,
            delta_color="inverse",
            delta_description=f"from {megabytes(size.before)}",
        )
        if result.quality:
            quality(result.quality.before, result.quality.after)
        else:
            noise = parity.sqnr_db
            figure(
                "Signal-to-noise ratio",
                f"{noise:.0f} dB" if noise is not None else "identical" if parity.checks else "not run",
            )


def quality(before: Quality | None, after: Quality) -> None:
    """Show the quality on the user's data with k of n, and the change."""
    correct = after.correct
    share = correct is not None
    value = f"{after.value:.2%}" if share else f"{after.value:.4g}"
    delta = None
    if before is not None:
        gap = after.value - before.value
        delta = f"{gap * 100:+.2f} pp" if share else f"{gap:+.2g}"
    figure(
        after.title,
        value,
        delta,
        delta_arrow="off" if before is not None and after.value == before.value else "auto",
        delta_color="off" if before is not None and after.value == before.value else "normal",
        delta_description=f"{correct.k:,} of {correct.n:,}" if correct else f"{after.samples:,} samples",
    )


def flips_help(flips: Count | None) -> str:
    """Say what a flip is, and how sure the count is."""
    if flips is None:
        return "The model's answers are not classes, so no prediction can change."
    low, high = flips.interval
    return f"Samples whose predicted class changed. 95 % interval of the share: {low:.2%} to {high:.2%} (Wilson)."


def sizes(size: Sizes, ink: str) -> None:
    """Chart the file before and after, as deployed and as downloaded."""
    st.markdown("**File size**")
    st.altair_chart(
        before_after(size_rows(size.before, size.after), ink), alt="Bar chart of file sizes before and after"
    )
    how, before, after = size.download()
    st.markdown(f"**Download size, {how}**")
    st.altair_chart(before_after(size_rows(before, after), ink), alt=f"Bar chart of {how} sizes before and after")


def gaps(parity: Parity, ink: str) -> None:
    """Chart the differences of each check against the tolerance."""
    tolerance = parity.tolerance
    st.markdown("**Differences by check**")
    bounds = tolerance is not None and tolerance.bounds
    chart = differences(parity.checks, tolerance.absolute if tolerance and bounds else None, ink)
    st.altair_chart(
        chart, alt="Median and largest absolute difference of each check, beside the declared tolerance if one applies"
    )
    declared = (
        f"Dashed: the declared tolerance, {tolerance.absolute:g} absolute plus {tolerance.relative:g} of the value."
        if tolerance and bounds
        else "No tolerance applies: the numbers are changed on purpose."
    )
    st.caption(f"Each line runs from the median to the largest difference. {declared}")


def route(result: Conversion) -> None:
    """Show each step with the converter that ran and its own verdict against the source."""
    st.markdown("**Steps**")
    before = result.source.format
    for place, step in enumerate(result.steps, 1):
        proof, model = step.parity, step.model
        colour = {Verdict.PASS: "green", Verdict.FAIL: "red"}.get(proof.verdict, "orange")
        words = [f"by {plain(step.converter)}"]
        words += [f"largest difference {small(proof.max_abs)}"] if proof.checks else []
        words += [megabytes(model.size)]
        pair = f"{place}. {format_title(before)} → {format_title(model.format)}"
        st.markdown(f":{colour}-badge[{proof.verdict}] **{plain(pair)}** {', '.join(words)}")
        before = model.format


def checks(parity: Parity) -> None:
    """Show every check with its evidence, the versions and the machine."""
    with st.expander("Evidence", icon=":material/fact_check:"):
        rows = [
            {
                "check": plain(c.name),
                "samples": c.samples,
                "largest difference": small(c.max_abs),
                "50 / 90 / 99 % below": " / ".join(small(share) for share in c.percentiles),
                "relative": "" if c.max_rel is None else small(c.max_rel),
                "SQNR dB": "" if c.sqnr_db is None else f"{c.sqnr_db:.0f}",
                "changed": f"{c.flips.k} of {c.flips.n}" if c.flips else "",
                "verdict": f"{c.verdict or 'no tolerance applies'}" + (f": {plain(c.detail, 200)}" if c.detail else ""),
            }
            for c in parity.checks
        ]
        st.table(rows, border="horizontal", hide_index=True)
        versions = ", ".join(f"{plain(k)} {plain(v)}" for k, v in parity.versions.items())
        st.caption(f"Seed {parity.seed} · {versions} · {plain(parity.machine, 200)}")
