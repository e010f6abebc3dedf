"""The middle steps of a move: the export with its proof, the code around it, and its tests."""

from collections.abc import Callable

import streamlit as st

from core.answers import package
from core.answers.charts.bars import megabytes
from core.answers.package import tasks
from core.domain.artifact import Artifact
from core.domain.conversion import Conversion
from core.domain.errors import PortolanError
from core.domain.job import Job, State
from core.domain.migration import NOWHERE, Budgets, Gate, MigrateRequest, Migration
from core.domain.report import Verdict
from core.domain.task import Task
from core.domain.work import Subject
from core.doors.workspace import current
from core.verbs import task
from core.verbs.migrate import in_order
from core.web import recorded
from pages import scaffold
from pages.visitor import place, visitor
from pages.widgets import aiming, consent, download, progress, testdata
from pages.widgets.figure import figure
from pages.widgets.text import plain, small

LOOKS = {
    Verdict.PASS: ("green", "verified"),
    Verdict.FAIL: ("red", "dangerous"),
    Verdict.NOT_PROVEN: ("orange", "help"),
}
FILES = (
    "task.py",
    "predict.py",
    "server.py",
    "drift.py",
    "test_model.py",
    "test_server.py",
    "README.md",
    "Dockerfile",
    "requirements.txt",
)
LANGUAGES = {".py": "python", ".md": "markdown", ".txt": "text", ".json": "json", "": "docker"}


def export(page: scaffold.Page, artifact: Artifact, jobs: list[Job]) -> None:
    """Export to the target, as Convert does."""
    plan, result = scaffold.columns()
    with plan:
        target = aiming.target(artifact)
        if target is None:
            return
        mine = [job for job in jobs if job.verb == "convert" and job.request.target == target.format]
        job = scaffold.shown(mine, mine)
        data = testdata.choose(artifact, job)
        consent.ask(artifact)
        request = aiming.export(artifact, target, data)
        begin("Export and prove", job, lambda: place().submit("convert", request), consent.given(artifact))
        st.page_link("compress.py", label="Make it smaller or faster first", icon=":material/compress:", query_params={"model": artifact.id})  # fmt: skip
    with result:
        if job is None:
            told("The proof appears here", f"The model is exported as {target.title} takes it, and its answers are compared with those of your file.")  # fmt: skip
        else:
            scaffold.outcome(page, artifact, job)


def adapt(page: scaffold.Page, artifact: Artifact, jobs: list[Job]) -> None:
    """Show the code that is written around the export."""
    plan, result = scaffold.columns()
    with plan:
        target = aiming.target(artifact)
    if target is None:
        return
    job = aiming.exported(jobs, target)
    with result:
        if not target.packaged:
            told("No code is written for this target", "The bundle of the export holds a script that runs it and its evidence. Packages with a server are written for ONNX Runtime and Triton.")  # fmt: skip
        elif job is None:
            told("Export first", "The code is written around the exported model.")
        else:
            code(job.result, task.declared(current().store, visitor(), artifact.id))


def code(made: Conversion, declared: Task | None) -> None:
    """Show what a package holds, file by file, before it is tested."""
    try:
        files = written(made, declared)
    except PortolanError as error:
        st.error(f"{plain(error.message, 400)} {plain(error.next_step, 300)}", icon=":material/block:")
        return
    listed = package.listed(files)
    st.markdown("**A Python package that checks inputs, answers, logs, and serves.**")
    with st.grid(3, min_column_width=150):
        figure("Files, evidence aside", f"{len(listed)}")
        figure("Inputs checked", f"{len(made.summary.inputs)}")
        figure("Protocol", "Inference v2")
    st.caption(f":material/info: {plain(raw_samples(made, declared), 400)}")
    own = [name for name in FILES if name in files]
    first = "task.py" if "task.py" in files else "predict.py"
    picked = str(st.segmented_control("File", ["signature.json", *own], default=first, required=True))
    text = files[picked]
    suffix = picked[picked.rfind(".") :] if "." in picked else ""
    st.code(str(text), language=LANGUAGES[suffix], line_numbers=suffix == ".py", height=480)


@st.cache_data(max_entries=16, show_spinner=False)
def example(recorded_sha256: str, made: Conversion) -> str:
    """Return the example request of a conversion's recorded answers."""
    head, body = recorded.split(current().store.blobs.path(recorded_sha256).read_bytes())
    specs = in_order(made)
    return package.example(head, body, tuple(spec.name for spec in specs), specs)


def raw_samples(made: Conversion, declared: Task | None) -> str:
    """Say whether raw samples are taken, and by whose steps."""
    found = tasks.of(made, declared)
    if found is None:
        return "Inputs are what the model takes: no preprocessing is part of it. For a model of pictures, the steps that you declare on the Models page travel too."
    if words := package.Raw(found).kept_back:
        return f"Inputs are what the model takes. {words}"
    who = (
        "guessed from the shape of the input, and nobody has declared them"
        if found.guessed
        else "those that you declared"
    )
    return f"Picture files are taken too: task.py prepares them and reads the answers. Its steps are {who}."


def written(made: Conversion, declared: Task | None) -> package.Members:
    """Return the files of a package; the tests of raw samples come when it is tested."""
    found = tasks.of(made, declared)
    raw = package.Raw(found) if found else None
    return package.members(current().store.blobs, made, example(made.golden.recorded, made), raw)


def test(page: scaffold.Page, artifact: Artifact, jobs: list[Job]) -> None:
    """Test the package as it will run."""
    plan, result = scaffold.columns()
    with plan:
        target = aiming.target(artifact)
        if target is None:
            return
        mine = [job for job in jobs if job.verb == "migrate" and job.request.target == target.id]
        job = scaffold.shown(mine, mine)
        data = testdata.choose(artifact, job)
        consent.ask(artifact)
        said = task.declared(current().store, visitor(), artifact.id)
        request = MigrateRequest(Subject.of(artifact), target.id, data=data, task=said, budgets=allowed(job))
        begin("Test the package", job, lambda: place().submit("migrate", request), consent.given(artifact))
        st.caption("An export that was made already is used; otherwise it is made now.")
    with result:
        if job is None:
            told("The sign-off appears here", "The package runs its own tests in a fresh process. Then its server is started in the sandbox, and gets the recorded inputs and malformed ones.")  # fmt: skip
        else:
            scaffold.outcome(page, artifact, job)


def allowed(job: Job | None) -> Budgets:
    """Type what the package is held to; it begins with what the job on the page was held to."""
    used = job.request.budgets if job is not None else Budgets()
    with st.expander("Budgets", icon=":material/speed:", expanded=used != Budgets()):
        drop = st.number_input(
            "Quality that may be lost on the test data, %",
            0.01,
            99.0,
            None if used.max_drop is None else 100 * used.max_drop,
            placeholder="not asked",
            help="The 95 % interval over paired samples decides, for changed predictions too. With too few samples the gate is NOT PROVEN.",
        )
        latency = st.number_input("95 % of requests within, ms", 0.001, 1e6, used.latency_ms, placeholder="not asked")
        memory = st.number_input("Memory of the server, MB", 0.1, 1e6, used.memory_mb, placeholder="not asked")
    return Budgets(None if drop is None else drop / 100, latency, memory)


def show(result: Migration) -> None:
    """Show the verdict, what is taken away, three figures, and each gate."""
    verdict(result)
    if result.bundle is not None:
        words = "Download the package" if result.packaged else "Download the bundle of the export"
        proven = "" if result.verdict is Verdict.PASS else ", not proven"
        style = "primary" if result.verdict is Verdict.PASS else "secondary"
        download.link(f"{words}{proven} ({megabytes(result.bundle.size)})", result.bundle.sha256, result.bundle.name, style)  # type: ignore[arg-type]  # fmt: skip
    if result.signoff is not None:
        download.link("Sign-off as a page", result.signoff.sha256, result.signoff.name)
    passed = sum(gate.verdict is Verdict.PASS for gate in result.gates)
    with st.grid(3, min_column_width=150):
        figure("Gates passed", f"{passed} of {len(result.gates)}")
        figure("Largest difference", small(max((gate.max_abs or 0.0 for gate in result.gates), default=0.0)))
        figure("Files", f"{len(result.files) + 1}" if result.packaged else "bundle")
    for one in result.gates:
        gate(one)
    st.caption(":material/visibility_off: Not run here: " + plain(" ".join(result.not_run), 600))
    if result.files:
        with st.expander("Files with their checksums", icon=":material/folder_zip:"):
            rows = [
                {"file": plain(one.name), "bytes": f"{one.size:,}", "SHA-256": one.digest[:16]} for one in result.files
            ]
            st.table(rows, border="horizontal", hide_index=True)


def verdict(result: Migration) -> None:
    """Say PASS, FAIL or NOT PROVEN about the whole move."""
    where = plain(result.title)
    worst = next((gate for gate in result.gates if gate.verdict is result.verdict), result.gates[0])
    if result.verdict is Verdict.PASS:
        what = "What is in the package was run here and answers like your model." if result.packaged else "The export answers like your model."  # fmt: skip
        st.success(f"**PASS. Ready for {where}.** {what}", icon=":material/verified:")
    elif result.verdict is Verdict.FAIL:
        st.error(f"**FAIL. Do not move this model.** {plain(worst.name)}: {plain(worst.reason, 400)}", icon=":material/dangerous:")  # fmt: skip
    else:
        st.warning(f"**NOT PROVEN.** {plain(worst.name)}: {plain(worst.reason, 600)}", icon=":material/help:")


def gate(one: Gate) -> None:
    """Show one gate as a line."""
    colour, icon = LOOKS[one.verdict]
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(str(one.verdict), color=colour, icon=f":material/{icon}:")  # type: ignore[arg-type]
            st.markdown(f"**{plain(one.name)}**", width="content")
        where = f"In {plain(one.where, 200)}. " if one.where != NOWHERE else ""
        figures = (
            f"{one.samples:,} recorded, largest difference {small(one.max_abs)}. " if one.max_abs is not None else ""
        )
        st.caption(f"{where}{figures}{plain(one.reason, 500)}")


def begin(words: str, job: Job | None, work: Callable[[], Job], ready: bool) -> None:
    """Draw the one button of a step, which is quieter once there is an answer."""
    done = job is not None and job.state is State.DONE
    st.button(
        words,
        type="secondary" if done else "primary",
        icon=":material/verified:",
        width="stretch",
        disabled=not ready,
        on_click=progress.begin,
        args=(work,),
    )


def told(title: str, sentence: str) -> None:
    """Say what will stand here."""
    with st.container(border=True):
        st.markdown(f"**{title}**")
        st.caption(sentence)
