"""Move a model to a target: export it with proof, write the package around it, test that as it will run, and pack it."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

from core.answers import bundle, package
from core.answers.package import Members, Raw, evidence, tasks
from core.calls import evaluate, inspect, raw_samples, rehearse
from core.calls.bench import Bench
from core.calls.rehearse import RawRan, Rehearsed
from core.domain.artifact import TensorSpec
from core.domain.codec import encode
from core.domain.conversion import Conversion, ConvertRequest
from core.domain.errors import Cancelled, Crashed, PortolanError
from core.domain.meaning import Reading
from core.domain.migration import NOWHERE, Budgets, Gate, MigrateRequest, Migration
from core.domain.report import Verdict
from core.domain.target import Target
from core.domain.task import Task
from core.domain.work import Bundle
from core.jobs.verb import Verb
from core.memory.store import Store
from core.sandbox.tools import Tools
from core.targets import TARGETS
from core.verbs import budgets, convert, exporting, replaying
from core.web import recorded

FRESH = "a fresh process in the sandbox, with the libraries of this server"
NOT_RUN = (
    "A clean virtual environment: the pins are those that ran here.",
    "The Dockerfile, the unit for systemd, and MLflow, which reads MLmodel.",
    "Triton Inference Server and KServe, for which the folder `models` is laid out.",
)
EXPORT_ONLY = ("No code is generated for this target: the bundle of the export holds its script and its evidence.",)
RAW = "Raw samples, step by step"
GUESSED = "The steps are a guess from the shape of the input. Declare them on the Models page, or with --task."
READY_SECONDS = 60.0
QUIET = {"MODEL_LOG": "WARNING", "SERVER_WORKERS": "1"}


def run(tools: Tools, request: MigrateRequest) -> Migration:
    """Migrate a model. Raises Refused where there is no way to the target, or the file needs consent."""
    return on(Bench(tools), request)


def on(bench: Bench, request: MigrateRequest) -> Migration:
    """Migrate on a given bench; see ``run``."""
    target = TARGETS[request.target]
    asked = export(bench, request, target)
    made = exported(bench, asked)
    parity = made.parity
    beyond = (
        (Gate(f"{target.title} itself", NOWHERE, Verdict.NOT_PROVEN, target.elsewhere),) if target.elsewhere else ()
    )
    first = Gate("The export answers like the source", "fresh processes in the sandbox", parity.verdict, parity.reason or "On every kind of input.", sum(check.samples for check in parity.checks), parity.max_abs)  # fmt: skip
    result = Migration(
        made.source,
        target.id,
        target.title,
        made.artifact,
        parity,
        (first, *budgets.on_data(made, request.budgets), *beyond),
        made.bundle,
        False,
        (),
        EXPORT_ONLY,
        0.0,
        0.0,
        made.golden.sha256,
        made.golden.recorded,
        asked,
    )
    if target.packaged and parity.verdict is not Verdict.FAIL:
        result = packed(bench, made, result, carried(bench, asked, made, request.task), request.budgets)
    return replace(result, seconds=bench.cost.seconds, peak_rss_mb=bench.cost.peak_rss_mb)


def export(bench: Bench, request: MigrateRequest, target: Target) -> ConvertRequest:
    """Return the conversion that the move needs, its options parsed."""
    subject = request.subject
    opset = inspect.ask(bench, subject.sha256, subject.name).summary.opset if subject.format == "onnx" else None
    return convert.normal(exporting.request(subject, target, opset, request.data, request.code, request.options))


def exported(bench: Bench, asked: ConvertRequest) -> Conversion:
    """Return the conversion: the one that was made already, or a new one, which is written down as its own."""
    done = bench.tools.memory.known("convert", asked, Conversion)
    if done is not None:
        return done
    made = convert.on(bench, asked)
    bench.tools.memory.answer("convert", asked, made)
    return made


def carried(bench: Bench, asked: ConvertRequest, made: Conversion, declared: Task | None) -> Raw | None:
    """Return the task that travels with the export, with raw samples that were recorded on the source; None where nobody said anything."""
    travelling = tasks.of(made, declared)
    if travelling is None:
        return None
    if (plain := package.Raw(travelling)).kept_back:
        return plain
    bench.tools.progress(0.86, "Recording raw samples, step by step")
    source = asked.subject.model
    steps = convert.plan(source.format, asked.target, asked.options)
    bench.openings.setdefault(source.sha256, convert.along(steps[0][1].options, asked.code))
    data = evaluate.as_read(asked.data, made.golden) if asked.data is not None and asked.data.raw else None
    reading = Reading.of(travelling.task, made.summary.outputs)
    found, samples = raw_samples.ask(bench, source, data, travelling.task, reading)
    named = replace(travelling, task=found.task, named=found.named)
    return package.Raw(named, samples if found.samples else "")


def packed(bench: Bench, made: Conversion, result: Migration, raw: Raw | None, asked: Budgets) -> Migration:
    """Write the package, test it as it will run, and pack it with its report unless a gate failed."""
    blobs, tools = bench.tools.blobs, bench.tools
    tools.progress(0.88, "Writing the package")
    questions = blobs.path(made.golden.recorded).read_bytes()
    specs = in_order(made)
    head, body = recorded.split(questions)
    files = package.members(blobs, made, package.example(head, body, tuple(spec.name for spec in specs), specs), raw)
    draft = package.zipped(blobs, files, made.artifact.name)
    tools.progress(0.9, "Running the package's own tests in a fresh process")
    found, answers = rehearse.ask(bench, draft.sha256, made.golden.recorded)
    gates = (*result.gates, rehearsed(found), budgets.finite(found.finite, FRESH), *prepared(raw, found.raw))
    tools.progress(0.94, "Starting the generated server and asking it what was recorded")
    gates = (*gates, *served(bench, draft, made, questions, blobs.path(answers.sha256).read_bytes(), found, raw, asked))
    result = replace(result, gates=gates, packaged=True, not_run=NOT_RUN, bundle=None)
    listed = package.listed(files)
    if result.verdict is Verdict.FAIL:
        return replace(result, files=listed)
    files |= signed(result, made, files)
    stem = bundle.safe_stem(made.artifact.name)
    with blobs.writer() as writer:
        writer.write(str(files["SIGNOFF.html"]).encode())
        page = writer.commit()
    signoff = Bundle(page.sha256, page.size, f"{stem}-sign-off.html")
    zipped = package.zipped(blobs, files, made.artifact.name)
    return replace(result, files=package.listed(files), bundle=zipped, signoff=signoff)


def signed(result: Migration, made: Conversion, files: Members) -> Members:
    """Return what is written about the package once it was tested: page and JSON of the sign-off, bill of materials, model card."""
    listed, name = package.listed(files), bundle.safe_stem(made.artifact.name)
    return {
        "SIGNOFF.html": evidence.page(result, made, listed),
        "MODEL_CARD.md": evidence.model_card(result, made, name),
        "bom.cdx.json": evidence.bom(result, made, name, str(files["requirements.txt"]), listed),
        "report.json": report(result, files),
    }


def in_order(made: Conversion) -> tuple[TensorSpec, ...]:
    """Return the inputs of the result in the order of the recorded ones; where names changed, by place."""
    known = {spec.name: spec for spec in made.summary.inputs}
    names = [spec.name for spec in made.golden.evidence.signature.inputs]
    return tuple(known[name] for name in names) if set(names) == set(known) else made.summary.inputs


def rehearsed(found: Rehearsed) -> Gate:
    """Judge the package's own tests."""
    bad = found.failed or not found.tests or not found.cases
    words = found.words or f"{found.tests} tests over {found.cases} recorded calls."
    verdict = Verdict.FAIL if bad else Verdict.PASS
    return Gate("The package's own tests", FRESH, verdict, words, found.cases, found.max_abs)


def prepared(raw: Raw | None, found: RawRan | None) -> tuple[Gate, ...]:
    """Judge the steps that travel with a model: whether they do what was done here, and whether anybody said that they are right."""
    if raw is None or raw.kept_back:
        return ()
    n = len(json.loads(raw.samples)) if raw.samples else 0
    steps = len(raw.travelling.task.prepare)
    doubt = Gate("How raw samples are prepared", NOWHERE, Verdict.NOT_PROVEN, GUESSED)
    if found is None:
        none = Gate(RAW, FRESH, Verdict.NOT_PROVEN, "No raw sample could be recorded: none passes all steps.")
        return (none, *([doubt] if raw.travelling.guessed else []))
    good = found.tests and not found.failed and len(found.meanings) == n
    words = (
        found.words
        or f"Each of {steps} steps makes of {n} samples what it made where they were recorded, to the last bit, and each answer means the same."
    )
    return Gate(RAW, FRESH, Verdict.PASS if good else Verdict.FAIL, words, n), *(
        [doubt] if raw.travelling.guessed else []
    )


def served(
    bench: Bench,
    draft: Bundle,
    made: Conversion,
    questions: bytes,
    answers: bytes,
    found: Rehearsed,
    raw: Raw | None,
    asked: Budgets,
) -> Iterator[Gate]:
    """Start the generated server, and yield what came of asking it; NOT PROVEN where this machine cannot lock a server in."""
    tools = bench.tools
    try:
        server = tools.sandbox.servers.begin("", "test", tools.blobs.path(draft.sha256), tools.sandbox.isolation.full, QUIET)  # fmt: skip
    except PortolanError as error:
        yield Gate("Served answers", replaying.WHERE, Verdict.NOT_PROVEN, error.message)
        return
    try:
        server.until_ready(READY_SECONDS, lambda: stopped(tools))
        ends = replace(made.summary.signature, inputs=in_order(made))
        client = replaying.Client(server.port, bundle.safe_stem(made.artifact.name), ends)
        with closing(client.connection):
            yield from replaying.gates(client, questions, answers, found.answered)
            if raw is not None and raw.samples and found.raw is not None:
                yield replaying.raw(client, json.loads(raw.samples), found.raw.meanings)
            if asked.served and found.answered:
                with bench.alone():
                    yield from kept(client, server.pid, asked, questions, found.answered)
    except Crashed as error:
        words = f"{error.message} {error.next_step}"
        yield Gate("Served answers", replaying.WHERE, Verdict.FAIL, words)
    finally:
        tools.sandbox.servers.stop(server)


def kept(
    client: replaying.Client, pid: int | None, asked: Budgets, questions: bytes, which: tuple[int, ...]
) -> Iterator[Gate]:
    """Yield the gates on the time and the memory of the server, which has closed a connection that waited long for its turn."""
    client.connection.close()
    if asked.latency_ms is not None:
        yield budgets.latency(replaying.one(client, questions, which), asked.latency_ms, replaying.WHERE)
    if asked.memory_mb is not None:
        yield budgets.memory(pid, asked.memory_mb, replaying.WHERE)


def stopped(tools: Tools) -> None:
    """Raise Cancelled where somebody asked to stop."""
    if tools.cancel.is_set():
        raise Cancelled("The job was stopped.", "Start it again when you need it.")


def report(result: Migration, files: Members) -> str:
    """Return what was tested with the checksum of every file; without times, so that equal work gives equal bytes."""
    told = {
        "portolan": 1,
        "target": result.target,
        "verdict": str(result.verdict),
        "source": encode(result.source),
        "artifact": encode(result.artifact),
        "gates": encode(result.gates),
        "not_run": list(result.not_run),
        "files": encode(package.listed(files)),
    }
    return package.written(told)


def record(store: Store, visitor: str, request: MigrateRequest, result: Migration, job: str) -> str | None:
    """Write the report beside the model."""
    kept = [one.sha256 for one in (result.bundle, result.signoff) if one is not None]
    blobs = [result.golden, result.recorded, *kept]
    store.add_report(visitor, request.subject.owned, "migration", result, blobs=blobs, job=job)
    return request.subject.artifact


def title(request: MigrateRequest) -> str:
    """Name the job for the list of jobs."""
    return f"Migrate {request.subject.name} to {TARGETS[request.target].title}"


VERB = Verb("migrate", MigrateRequest, Migration, run, record, title, page="migrate.py", command="migrate")
