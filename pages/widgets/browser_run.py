"""Run it in this browser: the converted file answers the recorded inputs on the visitor's own device, and is timed there."""

import streamlit as st

from core import web
from core.answers.bundle import REPLAY
from core.domain.browser_run import BrowserRun, sent
from core.domain.conversion import Conversion
from core.domain.errors import NotFound, Refused
from core.domain.report import Verdict
from core.domain.transform import Tolerance
from core.domain.work import NamedModel
from core.doors.routes import browser, links
from core.doors.workspace import current
from pages.visitor import place, visitor
from pages.widgets import component
from pages.widgets.text import plain, small

_COMPONENT = component.beside(__file__, "portolan_browser_run")
REPORT = "browser"


def section(result: Conversion, made: str) -> None:
    """Draw the section for a finished conversion whose artifact a browser can load; for others draw nothing."""
    artifact, answers = result.artifact, result.golden.recorded
    if artifact.format not in web.FORMATS:
        return
    with st.container(border=True):
        st.markdown("**Run it in this browser**")
        st.caption(
            f"The file runs on your own device in WebAssembly (onnxruntime-web {web.VERSION}, one thread), answers the "
            "recorded inputs, and is timed. Only the figures are sent back."
        )
        run = last(made, answers)
        label = "Run it again" if run else "Run in this browser"
        answer = _COMPONENT(
            data={"label": label, **order(artifact, answers, result.parity.tolerance or REPLAY)},
            key=f"browser-{artifact.sha256[:16]}",
            on_done_change=lambda: None,
        ).done
        if answer:
            keep(made, dict(answer), answers)
        elif run:
            show(run)


def order(artifact: NamedModel, answers: str, tolerance: Tolerance) -> dict[str, object]:
    """Return what the component needs: links that are good for an hour, and why it cannot start if it cannot."""
    if artifact.size > web.MAX_MODEL_BYTES:
        size, most = (f"{size / 1e6:,.0f} MB" for size in (artifact.size, web.MAX_MODEL_BYTES))
        return {
            "blocked": f"The file has {size}; the limit for a browser tab is {most}. Make it smaller on the Compress page first."
        }
    return {
        "folder": browser.folder(),
        "model": links.file_link(artifact.sha256, artifact.name),
        "recorded": links.file_link(answers, "recorded.bin"),
        "tolerance": {"absolute": tolerance.absolute, "relative": tolerance.relative},
        "answers": answers,
        "blocked": "",
    }


def keep(made: str, answer: dict[str, object], answers: str) -> None:
    """Write what the browser sent beside the artifact, as a report of its own kind, and draw the page with it."""
    try:
        run = sent(answer, answers)
        place().report(made, REPORT, run)
    except Refused as error:
        st.error(f"{plain(error.message)} {plain(error.next_step)}", icon=":material/block:")
    except NotFound:
        show(run)
        st.caption("The model is no longer in your library, so this result is shown once and not stored.")
    else:
        st.rerun()


def last(made: str, answers: str) -> BrowserRun | None:
    """Return the newest run of this artifact on these recorded answers, if there is one."""
    try:
        found = current().store.reports(visitor(), made, REPORT)
    except NotFound:
        return None
    runs = (one.read(BrowserRun) for one in found)
    return next((run for run in runs if run.answers == answers), None)


def show(run: BrowserRun) -> None:
    """Show verdict, differences and percentiles, and on what they were measured."""
    verdict(run)
    flips, latency = run.flips, run.latency
    with st.grid(2, min_column_width=200):
        st.metric(
            "Largest difference", small(run.max_abs), border=True, help="Largest absolute difference over all answers"
        )
        changed = f"{flips.k} of {flips.n:,}" if flips else "none"
        st.metric("Changed predictions", changed, border=True, help="Samples whose predicted class changed")
    with st.grid(3, min_column_width=165):
        for name, value, words in percentiles(run):
            st.metric(f"{name} latency", milliseconds(value), border=True, help=words)
    coarse = latency.p50 < 10 * latency.tick
    clock = f" This browser's clock has a resolution of {latency.tick:.2g} ms." if coarse else ""
    st.caption(
        f"{latency.runs} runs after {latency.warm} to warm up, batch {latency.batch}, one thread of {run.cores} cores.{clock}"
    )
    st.caption(f"onnxruntime-web {plain(run.runtime)} · {plain(run.agent, 300)}")


def verdict(run: BrowserRun) -> None:
    """Say in words and colour whether the answers agree on this device."""
    share = (
        "" if run.cases == run.recorded else f" {run.cases} of {run.recorded} recorded cases were small enough to send."
    )
    if run.verdict is Verdict.PASS:
        st.success(
            f"**PASS in this browser.** The answers on {run.samples:,} recorded samples are within the declared tolerance.{share}",
            icon=":material/verified:",
        )
    elif run.verdict is Verdict.FAIL:
        st.error(f"**FAIL in this browser.** {plain(run.reason, 400)}{share}", icon=":material/dangerous:")
    else:
        st.warning(f"**NOT PROVEN in this browser.** {plain(run.reason, 400)}{share}", icon=":material/help:")


def percentiles(run: BrowserRun) -> tuple[tuple[str, float, str], ...]:
    """Return the three percentiles with what each says."""
    return (
        ("p50", run.latency.p50, "Half of the runs were faster"),
        ("p90", run.latency.p90, "Nine of ten runs were faster"),
        ("p99", run.latency.p99, "99 of 100 runs were faster"),
    )


def milliseconds(value: float) -> str:
    """Write a duration with three digits that count."""
    return f"{value:,.0f} ms" if value >= 100 else f"{value:.3g} ms"
