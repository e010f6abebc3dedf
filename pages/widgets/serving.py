"""The last step of a move: the generated server as a real process on this machine, watched, tried and loaded."""

import http.client
import time
from contextlib import closing

import streamlit as st

from core.domain.artifact import Artifact
from core.domain.job import Job, State
from core.domain.load import Load, LoadRequest
from core.domain.migration import Migration
from core.domain.reach import may_serve
from core.domain.work import Subject
from core.doors.workspace import current
from core.sandbox.servers import Server
from core.sandbox.watched import HOST, Standing
from core.verbs import loading
from pages import scaffold
from pages.visitor import place, visitor
from pages.widgets import aiming, canary, progress
from pages.widgets.figure import figure
from pages.widgets.packaging import told
from pages.widgets.text import plain

COLOURS = {
    Standing.STARTING: "blue",
    Standing.READY: "green",
    Standing.RESTARTING: "orange",
    Standing.FAILED: "red",
    Standing.STOPPED: "gray",
}
SHOWN_BYTES = 20_000
RATE, LENGTH, BUDGET = "load-rate", "load-seconds", "load-budget"
SECONDS = 10.0
PYTHON = """import json, urllib.request

body = open("example.json", "rb").read()
answer = urllib.request.urlopen("{url}", body)
print(json.load(answer))"""
SCRIPT = """import {{ readFile }} from "node:fs/promises";

const body = await readFile("example.json");
const answer = await fetch("{url}", {{ method: "POST", body }});
console.log(await answer.json());"""


def step(page: scaffold.Page, artifact: Artifact, jobs: list[Job]) -> None:
    """Start the server of the package that passed, and show what runs."""
    plan, result = scaffold.columns()
    with plan:
        target = aiming.target(artifact)
        job = next((job for job in jobs if target and tested(job) and job.request.target == target.id), None)
        servers = [] if job is None else served(job)
        if job is not None and not servers:
            start(job.result, f"{artifact.name} ({job.result.title})", artifact.id)
    with result:
        if job is None:
            told(
                "Test the package first",
                "A package that passes its gates can be started here, as a server on this machine.",
            )
            return
        if not servers:
            told("No server runs", "It runs in the sandbox: it answers on a port of this machine and can open no connection of its own. It is started again after a crash, and stops with Portolan.")  # fmt: skip
        for server in servers[:1]:
            running(server)
            canary.show(server, artifact, job)
            trying(server)
            under_load(page, artifact, jobs, server)


def tested(job: Job) -> bool:
    """Say whether a job left a package that can be served."""
    return job.verb == "migrate" and job.state is State.DONE and bool(job.result.packaged and job.result.bundle)


def served(job: Job) -> list[Server]:
    """Return the servers of the package that a job left, the newest first."""
    return [one for one in current().sandbox.servers.of(visitor()) if one.package == job.result.bundle.sha256]


def start(result: Migration, title: str, model: str) -> None:
    """Offer to start the server, to whoever may."""
    if result.bundle is None:
        return
    allowed = may_serve() and place().steers
    sha256 = result.bundle.sha256
    st.button(
        "Start the server",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=not allowed,
        on_click=progress.attempt,
        args=(lambda: place().serve(sha256, title, model),),
    )
    if not allowed:
        st.caption(
            "Only an administrator of this server may start it here. Elsewhere, unpack the package and run `python server.py`."
        )


def running(server: Server) -> None:
    """Show how the server is, refreshed while it is looked at."""

    @st.fragment(run_every=1.0)
    def body() -> None:
        now = server.standing
        if now is Standing.STOPPED:
            st.rerun()
        with st.container(border=True):
            with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
                with st.container(horizontal=True, width="content", vertical_alignment="center"):
                    st.badge(str(now), color=COLOURS[now])  # type: ignore[arg-type]
                    st.markdown(f"**{plain(server.title)}**", width="content")
                st.button("Stop", icon=":material/stop:", key=f"stop-{server.id}", on_click=stop, args=(server.id,))
            with st.grid(3, min_column_width=140):
                figure("Address", f":{server.port}", help=server.url)
                figure("Restarts", f"{server.restarts}", help="How often it was started again after a crash")
                figure("Answers", answers(server))
            with st.expander("Last lines of its log", icon=":material/terminal:"):
                st.code("\n".join(list(server.lines)[-20:]) or "Nothing yet.", language="json")

    body()


def stop(id: str) -> None:
    """Stop a server, and say so where it is gone already."""
    progress.attempt(lambda: place().silence(id))


def answers(server: Server) -> str:
    """Return how many requests were answered with success, as its own figures say."""
    status, body = ask(server, "GET", "/metrics")
    lines = body.decode(errors="replace").splitlines() if status == 200 else []
    found = [line.rpartition(" ")[2] for line in lines if line.startswith('model_requests_total{status="200"}')]
    return f"{float(found[0]):,.0f}" if found else "0"


def ask(server: Server, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """Send one request to a server and return status and body; 0 where none came."""
    try:
        with closing(http.client.HTTPConnection(HOST, server.port, timeout=SECONDS)) as connection:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read(SHOWN_BYTES)
    except (OSError, http.client.HTTPException):
        return 0, b""


def trying(server: Server) -> None:
    """Offer a request to change and send, and the same for a terminal, for Python and for JavaScript."""
    path = loading.inference(server.name)
    alias = canary.front(server)
    where = server if alias is None else alias
    url = f"{where.url}{loading.inference(where.name)}"
    body = (server.unpacked / "example.json").read_text()
    form, curl, python, script = st.tabs(["Try it", "curl", "Python", "JavaScript"])
    with form, st.form(f"try-{server.id}", border=False):
        given = st.text_area("Request", body if len(body) <= SHOWN_BYTES else '{"inputs": []}', height=160)
        if st.form_submit_button("Send", icon=":material/send:"):
            status, answer = ask(server, "POST", path, given.encode())
            st.badge(f"{status}" if status else "no answer", color="green" if status == 200 else "red")
            st.code(answer.decode(errors="replace")[:SHOWN_BYTES], language="json", wrap_lines=True)
    curl.code(f"curl -s -d @example.json {url}", language="bash")
    python.code(PYTHON.format(url=url), language="python")
    script.code(SCRIPT.format(url=url), language="javascript")
    st.caption(
        "`example.json` is in the package. Only programs on this machine reach the address; pages of web sites are "
        "refused, so the JavaScript is for Node."
    )


def under_load(page: scaffold.Page, artifact: Artifact, jobs: list[Job], server: Server) -> None:
    """Ask for a rate, load the server, and show the last figures."""
    mine = [job for job in jobs if job.verb == "load" and job.request.server == server.id]
    with st.container(border=True):
        st.markdown("**Under load**")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.number_input("Requests a second", 1.0, loading.MOST_RATE, 50.0, step=10.0, key=RATE)
            st.number_input("Seconds", 1.0, loading.MOST_SECONDS, 5.0, step=1.0, key=LENGTH)
            st.number_input(
                "p95 within, ms",
                1.0,
                10_000.0,
                None,
                step=10.0,
                key=BUDGET,
                placeholder="no search",
                help="With a budget, Portolan also looks for the highest rate at which 95 of 100 answers come within it; that takes up to a few minutes.",
            )
            st.button(
                "Measure",
                icon=":material/speed:",
                on_click=progress.attempt,
                args=(lambda: begun(artifact, server),),
            )
        job = scaffold.shown(mine, mine)
        if job is None:
            st.caption("Requests are sent at fixed times, and each answer is timed from when its request was due.")
        else:
            scaffold.outcome(page, artifact, job)


def begun(artifact: Artifact, server: Server) -> Job:
    """Begin a measurement at what stands in the form now."""
    rate, seconds, budget = (st.session_state[key] for key in (RATE, LENGTH, BUDGET))
    return place().submit("load", LoadRequest(Subject.of(artifact), server.id, rate, seconds, time.time(), budget))


def show(result: Load) -> None:
    """Show the latency and what was not answered."""
    with st.grid(4, min_column_width=120):
        for name, value in (("p50", result.p50), ("p95", result.p95), ("p99", result.p99)):
            figure(
                name, "–" if value is None else f"{value:.1f} ms", help=None if value else "Too few requests to tell"
            )
        figure("Errors", f"{result.failed + result.refused:,}", help=f"{result.refused:,} of them 429: too many waited")
    st.caption(
        f"{result.answered:,} of {result.sent:,} requests answered at {result.rate:g} a second for {result.seconds:g} "
        f"seconds. The client runs on this machine too; it was late by {result.late:.1f} ms at worst."
    )
    if result.safe is not None:
        st.markdown(f"**{result.safe.sentence}**")
        with st.expander("Rates that were tried", icon=":material/query_stats:"):
            st.dataframe(
                [
                    {
                        "requests a second": one.rate,
                        "answered": f"{one.answered:,} of {one.sent:,}",
                        "p95, ms": one.p95,
                        "at most, ms": one.bound,
                        "safe": one.safe,
                    }
                    for one in result.safe.tried
                ],
                hide_index=True,
            )
