"""The verbs on the command line: ``python -m core VERB``; exit 0 proven, 1 refused or not equal, 2 wrong use, 3 not proven."""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from core.converters import CONVERTERS
from core.decoding import DECODINGS
from core.domain import settings
from core.domain.assessment import AssessRequest
from core.domain.codec import encode
from core.domain.compression import MAX_DROP, CompressRequest
from core.domain.conversion import Conversion, ConvertRequest
from core.domain.errors import PortolanError, Refused, our_fault
from core.domain.evaluation import EvaluateRequest
from core.domain.groups import GROUPS
from core.domain.migration import MigrateRequest
from core.domain.portability import PortabilityRequest, Standing
from core.domain.previewing import PreviewRequest
from core.domain.recipe import Step
from core.domain.report import Verdict
from core.domain.search import MINUTES, TuneRequest
from core.domain.shelf import Shelf
from core.domain.stored import write
from core.domain.tuning import Goal
from core.doors import console, deploying, operating, profiling
from core.doors.given import (
    budgets_of,
    code_of,
    data_of,
    existing,
    inspected,
    pairs,
    read_recipe,
    read_task,
    share,
    subject_of,
    task_of,
)
from core.doors.terminal import letters, only_letters
from core.formats import FORMATS
from core.jobs.engines import launcher
from core.memory.blobs import Blobs
from core.metrics import METRICS
from core.preprocessing import STEPS
from core.runtimes import RUNTIMES
from core.sandbox import Sandbox, environments
from core.sandbox.tools import Tools
from core.targets import TARGETS
from core.techniques import TECHNIQUES
from core.verbs import (
    assess,
    compress,
    convert,
    evaluate,
    migrate,
    portability,
    task,
    tune,
)
from core.verbs.tuning.folder import MODEL, Folder

SHELVES: dict[str, Shelf[Any]] = {
    "formats": FORMATS,
    "converters": CONVERTERS,
    "techniques": TECHNIQUES,
    "runtimes": RUNTIMES,
    "preprocessing": STEPS,
    "decodings": DECODINGS,
    "metrics": METRICS,
    "targets": TARGETS,
}
EXITS = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.NOT_PROVEN: 3}

OPTION = "an option of the converters or the technique; may be given several times"
DROP = "share of the quality that may be lost; 0.01 is one percentage point of accuracy"
GOAL = "file size, download size (travel), latency or memory; size unless given"
CLASSES = "the labels in the order of the model's class numbers 0, 1, 2, ..., separated by commas, such as low,mid,high"
SCHEDULER = (
    "where the scheduler listens: tcp:// on loopback, tls:// with certificates elsewhere (PORTOLAN_TLS_CA, _CERT, _KEY)"
)
DATA = "samples as .npz (x, y), .csv, .jsonl, .parquet, or a folder or zip of pictures, with labels where you have them"
GROUP = (
    "column whose equal values, such as one patient, are never cut apart between the calibration half and the test half"
)
TIME = "column of times or numbers, whose later half is the test half"
METRIC = "figure by which quality is judged; `metrics` lists them; accuracy, or RMSE for numbers, unless given"
TASK = "how pictures become the inputs of the model, as `task` writes it, a file or its text; guessed unless given"


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    with only_letters():
        return _run(parser().parse_args(argv))


def _run(args: argparse.Namespace) -> int:
    try:
        if args.run is not run_operation:  # the doctor names what is wrong itself, and a backup needs none of it
            settings.check()
        return int(args.run(args))
    except PortolanError as error:
        return fail(args, error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever reads what is printed, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except OSError as error:
        return fail(args, Refused(f"{error.strerror or error}: {error.filename or ''}".strip(": "), "Check the path."))


def parser() -> argparse.ArgumentParser:
    """Declare the commands of DESIGN section 6."""
    top = argparse.ArgumentParser(prog="python -m core", description="Portolan on the command line.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    inspect = command(commands, "inspect", run_inspect, "say what is in a model file")
    inspect.add_argument("file", type=Path)
    turn = command(commands, "convert", run_convert, "convert a model and prove the result")
    turn.add_argument("file", type=Path)
    turn.add_argument("--to", required=True, metavar="FORMAT", help="format to write; `formats` lists them")
    turn.add_argument("--option", action="append", default=[], metavar="K=V", help=OPTION)
    turn.add_argument("-o", "--out", type=Path, required=True, help="file to write")
    turn.add_argument(
        "--code", type=Path, help="Python file that defines the network to which a file of weights belongs"
    )
    turn.add_argument("--bundle", type=Path, help="also write the zip with the evidence")
    press = command(
        commands, "compress", run_compress, "make an ONNX model smaller or faster and measure what it costs"
    )
    press.add_argument("file", type=Path)
    how = press.add_mutually_exclusive_group(required=True)
    how.add_argument("--technique", metavar="ID", help="one technique; `techniques` lists them")
    how.add_argument("--recipe", type=Path, metavar="RECIPE.json", help="techniques in a row, as JSON")
    press.add_argument("--option", action="append", default=[], metavar="K=V", help=OPTION)
    press.add_argument("--max-drop", type=float, default=MAX_DROP, metavar="SHARE", help=DROP)
    press.add_argument("-o", "--out", type=Path, required=True, help="file to write")
    press.add_argument("--bundle", type=Path, help="also write the zip with the evidence")
    press.add_argument(
        "--travel", type=Path, help="also write that zip with the model packed for download, where that is smaller"
    )
    matrix = command(commands, "matrix", run_matrix, "try every target for a model and prove each result")
    matrix.add_argument("file", type=Path)
    matrix.add_argument("--option", action="append", default=[], metavar="K=V", help=OPTION)
    judge = command(
        commands, "assess", run_assess, "say how much work a move to each target is, and what stands in the way"
    )
    judge.add_argument("file", type=Path)
    move = command(commands, "migrate", run_migrate, "export a model to a target, with code that serves it and proof")
    move.add_argument("file", type=Path)
    move.add_argument("--target", required=True, metavar="TARGET", help="where it goes; `targets` lists them")
    move.add_argument("--option", action="append", default=[], metavar="K=V", help=OPTION)
    move.add_argument(
        "--max-drop", type=share, metavar="SHARE", help="how much quality may be lost on the data, such as 1%%"
    )
    move.add_argument(
        "--latency-ms", type=float, metavar="MS", help="milliseconds within which 95 %% of requests must be answered"
    )
    move.add_argument("--memory-mb", type=float, metavar="MB", help="megabytes that the server may take at its peak")
    move.add_argument("-o", "--out", type=Path, required=True, metavar="BUNDLE.zip", help="package to write")
    deploying.declare(partial(command, commands), run_serve, run_load)
    search = command(commands, "tune", run_tune, "search for the smallest or fastest file within an accuracy budget")
    search.add_argument("file", type=Path)
    search.add_argument("--max-drop", type=float, required=True, metavar="SHARE", help=DROP)
    search.add_argument("--minimise", choices=list(map(str, Goal)), default=str(Goal.SIZE), help=GOAL)
    search.add_argument(
        "--budget-minutes", type=float, default=MINUTES, metavar="M", help="minutes until the search stops"
    )
    search.add_argument("--seed", type=int, default=0, help="decides between candidates that rank alike")
    search.add_argument(
        "--keep", default="", metavar="WEIGHT,...", help="names of weights to leave unchanged, separated by commas"
    )
    search.add_argument("-o", "--out", type=Path, required=True, metavar="FOLDER", help="folder for the results")
    measure = command(commands, "evaluate", run_evaluate, "measure a model on labelled data")
    measure.add_argument("file", type=Path)
    measure.add_argument("--against", type=Path, metavar="PARENT", help="model to compare the answers with")
    for sub in (turn, measure):
        sub.add_argument("--max-drop", type=float, default=MAX_DROP, metavar="SHARE", help=f"{DROP}; needs --metric")
    say = command(commands, "task", run_task, "say how pictures become the inputs of a model, or guess it")
    say.add_argument("file", type=Path)
    say.add_argument("-o", "--out", type=Path, metavar="TASK.json", help="also write the task, for --task")
    card = command(commands, "profile", run_profile, "measure what a model costs: time, memory, start")
    profiling.declare(card)
    for sub in (turn, press, matrix, judge, move, search, measure, say, card):
        sub.add_argument("--data", type=Path, required=sub in (search, measure), help=DATA)
        sub.add_argument("--label", help="name of the label column")
        sub.add_argument("--classes", default="", metavar="LABEL,...", help=CLASSES)
        sub.add_argument("--group", metavar="COLUMN", help=GROUP)
        sub.add_argument("--time", metavar="COLUMN", help=TIME)
        flags = ("--task", "--set") if sub is say else ("--task",)
        sub.add_argument(*flags, dest="task", metavar="TASK.json", help=TASK)
        sub.add_argument("--metric", metavar="ID", help=METRIC)
        sub.add_argument(
            "--consent", action="store_true", help="agree that a pickle is loaded, or a Python file run, in the sandbox"
        )
    add = command(commands, "install", run_install, "install a group of optional libraries; without a name, list them")
    add.add_argument("group", nargs="?", metavar="GROUP")
    join = command(
        commands, "cluster", run_cluster, "start Dask's scheduler or workers so that no stranger reaches them"
    )
    join.add_argument("role", choices=(launcher.SCHEDULER, launcher.WORKER))
    join.add_argument("address", nargs="?", default="tcp://127.0.0.1:8786", metavar="ADDRESS", help=SCHEDULER)
    join.add_argument(
        "--processes", type=int, default=2, metavar="N", help="workers to start, each for a job at a time"
    )
    operating.declare(partial(command, commands, run=run_operation))
    for name in SHELVES:
        listing = command(commands, name, run_listing, f"list the {name}")
        listing.set_defaults(shelf=name)
    return top


def command(commands: Any, name: str, run: Any, help: str) -> argparse.ArgumentParser:
    """Add one command with the option that all share."""
    sub: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help)
    sub.add_argument("--json", action="store_true", help="print one JSON object on stdout and nothing else")
    sub.set_defaults(run=run)
    return sub


def run_inspect(args: argparse.Namespace) -> int:
    """Print the summary of a file."""
    with bench() as tools:
        blob = tools.blobs.put(existing(args.file))
        found = inspected(tools, blob, args.file.name)
    written = {**encode(found.summary), "size": blob.size, "sha256": blob.sha256}
    show(args, written, lambda: console.summary(found, blob.size, blob.sha256))
    return 0


def run_convert(args: argparse.Namespace) -> int:
    """Convert, prove, and write the artifact unless the proof failed."""
    with bench() as tools:
        subject, target = subject_of(tools, args.file, args.consent), FORMATS[args.to].id
        given = pairs(args.option), data_of(tools, args), code_of(tools, args.code)
        result = convert.run(tools, ConvertRequest(subject, target, *given, args.max_drop))
        if result.bundle is None:
            raise not_equal(result)
        save(tools, result.artifact.sha256, args.out)
        if args.bundle:
            save(tools, result.bundle.sha256, args.bundle)
    show(args, encode(result), lambda: console.conversion(result, args.out))
    return EXITS[result.parity.verdict]


def run_compress(args: argparse.Namespace) -> int:
    """Compress, write the artifact unless too much was lost, and say so."""
    if args.technique:
        recipe: tuple[Step, ...] = (Step(args.technique, pairs(args.option)),)
    else:
        recipe = read_recipe(existing(args.recipe))
    with bench() as tools:
        subject, data = subject_of(tools, args.file, args.consent), data_of(tools, args)
        result = compress.run(tools, CompressRequest(subject, recipe, data, args.max_drop))
        if result.bundle is None:
            raise Refused(f"FAIL: {result.parity.reason}", "Choose milder options, or allow a larger drop.")
        save(tools, result.artifact.sha256, args.out)
        if args.bundle:
            save(tools, result.bundle.sha256, args.bundle)
        if args.travel:
            save(tools, (result.travel or result.bundle).sha256, args.travel)
    show(args, encode(result), lambda: console.compression(result, args.out))
    return EXITS[result.parity.verdict]


def run_matrix(args: argparse.Namespace) -> int:
    """Print what became of every target; 0 when one at least is proven, 3 when files were written and none is, else 1."""
    with bench() as tools:
        subject, options = subject_of(tools, args.file, args.consent), pairs(args.option)
        result = portability.run(tools, PortabilityRequest(subject, options, data_of(tools, args)))
    show(args, encode(result), lambda: console.matrix(result.attempts))
    standings = {attempt.standing for attempt in result.attempts}
    if Standing.PROVEN in standings:
        return 0
    return 3 if any(standing.usable for standing in standings) else 1


def run_assess(args: argparse.Namespace) -> int:
    """Print how far each target bears a model; 0 when one at least bears all of it."""
    with bench() as tools:
        subject = subject_of(tools, args.file, args.consent)
        result = assess.run(tools, AssessRequest(subject, data_of(tools, args)))
    show(args, encode(result), lambda: console.assessment(result))
    return 0 if result.ready else 3


def run_migrate(args: argparse.Namespace) -> int:
    """Export, package and test, and write the package unless a gate failed."""
    asked, target = budgets_of(args), TARGETS[args.target].id
    with bench() as tools:
        subject = subject_of(tools, args.file, args.consent)
        request = MigrateRequest(subject, target, pairs(args.option), data_of(tools, args), task=read_task(args.task))
        result = migrate.run(tools, replace(request, budgets=asked))
        if result.bundle is None:
            failed = next(gate for gate in result.gates if gate.verdict is Verdict.FAIL)
            raise Refused(f"FAIL: {failed.name}: {failed.reason}", "The package was not written. Try another target.")
        save(tools, result.bundle.sha256, args.out)
    show(args, encode(result), lambda: console.migration(result, args.out))
    return EXITS[result.verdict]


def run_serve(args: argparse.Namespace) -> int:
    """Serve a package until Ctrl-C."""
    with bench() as tools, deploying.until_told():
        server = deploying.begun(tools, existing(args.package))
        show(args, deploying.told(server), lambda: deploying.say(server))
        deploying.follow(server)
    return 0


def run_load(args: argparse.Namespace) -> int:
    """Load a server, and look for its largest safe rate where there is a budget; 1 where it does not keep to what was asked."""
    with bench() as tools:
        result = deploying.loaded(tools, args)
    show(args, encode(result), lambda: console.load(result))
    return 0 if deploying.kept(result) else 1


def run_tune(args: argparse.Namespace) -> int:
    """Search, and write the best into the folder as it is found; what failed on the test half does not stay there."""
    with bench() as tools:
        folder = Folder(args.out, tools.blobs)
        keep = tuple(name.strip() for name in args.keep.split(",") if name.strip())
        subject, data = subject_of(tools, args.file, args.consent), data_of(tools, args)
        given = args.max_drop, Goal(args.minimise), args.budget_minutes, args.seed, keep
        try:
            result = tune.run(replace(tools, memory=folder), TuneRequest(subject, data, *given))
        except KeyboardInterrupt:
            kept = "The best so far" if (args.out / MODEL).exists() else "The report so far"
            print(f"Stopped. {kept} is in {args.out}.", file=sys.stderr)
            raise
        folder.keep(result)
        if result.best is None:
            folder.clear()
            raise Refused(result.sentence, "Allow a larger drop, more minutes or more samples.")
    show(args, encode(result), lambda: print(f"{result.sentence}\nWritten to {args.out}."))
    return EXITS[result.judged or Verdict.NOT_PROVEN]


def run_evaluate(args: argparse.Namespace) -> int:
    """Print the quality of a model, and the comparison with its parent."""
    with bench() as tools:
        against = subject_of(tools, args.against, args.consent) if args.against else None
        subject, data = subject_of(tools, args.file, args.consent), data_of(tools, args)
        result = evaluate.run(tools, EvaluateRequest(subject, data, against, max_drop=args.max_drop))
    quality = encode(result.quality) if result.quality else {}
    show(args, {**quality, **encode(result)}, lambda: console.evaluation(result))
    return EXITS[result.against.parity.verdict] if result.against else 0


def run_task(args: argparse.Namespace) -> int:
    """Print the task of a model, given or guessed, and what the model answers to some samples."""
    given = task_of(args)
    if given and given.prepare and args.data is None:
        raise Refused("A task is tried on samples, and there are none.", "Add them with --data.")
    with bench() as tools:
        subject, data = subject_of(tools, args.file, args.consent), data_of(tools, args)
        result = task.run(tools, task.normalised(PreviewRequest(subject, data, given)))
    if args.out:
        args.out.write_text(write(result.task) + "\n")
    show(args, {**encode(result.task), **encode(result)}, lambda: console.preview(result))
    return 0


def run_profile(args: argparse.Namespace) -> int:
    """Print what a model costs, in the way that is asked for."""
    ask = profiling.way(args)
    with bench() as tools:
        found = ask(tools, args)
    show(args, found.value, found.words)
    return EXITS[found.verdict] if found.verdict else 0


def run_install(args: argparse.Namespace) -> int:
    """Install a group, or print the groups with what each needs."""
    if args.group:
        environments.make(environments.named(args.group, GROUPS), tell, threading.Event())
    rows = [group.to_json() for group in GROUPS.values() if args.group in (None, group.id)]
    show(
        args,
        {"groups": rows},
        lambda: [print(f"{r['id']:<14} {r['megabytes']:>6,} MB  {r['reason'] or 'installed'}") for r in rows],
    )
    return 0


def run_cluster(args: argparse.Namespace) -> int:
    """Run Dask's scheduler or workers until they end or are told to."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    return launcher.launch(args.role, args.address, args.processes, lambda text: tell(None, text))


def run_operation(args: argparse.Namespace) -> int:
    """Do what somebody who runs a server asks for."""
    told: operating.Told = args.operation(args, tell)
    if told.value is not None and args.json:
        print(json.dumps(told.value))
    else:
        for line in told.lines:
            print(line)
    return told.code


def run_listing(args: argparse.Namespace) -> int:
    """Print what a shelf holds, with availability and reason."""
    rows = [entry.to_json() for entry in SHELVES[args.shelf]]
    show(
        args,
        {args.shelf: rows},
        lambda: [print(f"{r['id']:<24} {r['reason'] or 'available':<12} {r['sentence']}") for r in rows],
    )
    return 0


@contextmanager
def bench() -> Iterator[Tools]:
    """Open blobs and a sandbox in a temporary folder, and leave nothing behind."""
    home = Path(tempfile.mkdtemp(prefix="portolan-"))
    sandbox = Sandbox(home / "scratch")
    try:
        yield Tools(Blobs(home / "blobs"), sandbox, tell, threading.Event())
    finally:
        sandbox.close()
        shutil.rmtree(home, ignore_errors=True)


def tell(fraction: float | None, text: str) -> None:
    """Write progress to stderr."""
    print(f"{'' if fraction is None else f'{fraction:4.0%} '}{text}", file=sys.stderr, flush=True)


def save(tools: Tools, sha256: str, out: Path) -> None:
    """Copy a blob to where the user wants it, whole or not at all."""
    part = out.with_name(out.name + ".part")
    shutil.copyfile(tools.blobs.path(sha256), part)
    part.replace(out)


def not_equal(result: Conversion) -> Refused:
    """Put a failed proof in one sentence, with the step that is guilty and the operator where the two part."""
    parity = result.parity
    where = f" They first differ at {parity.diverges_at}." if parity.diverges_at else ""
    return Refused(
        f"FAIL: the converted model does not give the same answers ({parity.reason}). {result.guilty}{where}",
        "The file was not written. Try another target or other options.",
    )


def show(args: argparse.Namespace, value: dict[str, Any], words: Any) -> None:
    """Print one JSON object, or words for people."""
    if args.json:
        print(json.dumps(value))
    else:
        words()


def fail(args: argparse.Namespace, error: PortolanError) -> int:
    """Print an error in its JSON shape or in words, and return 1."""
    if args.json:
        print(json.dumps({"error": encode(error.trouble)}))
    else:
        print(f"{error.kind}: {error.message}\n{error.next_step}".rstrip(), file=sys.stderr)
    return 1


def run_and_exit() -> NoReturn:
    """Run the command, and turn what nobody expected into one sentence."""
    try:
        code = main()
    except Exception as error:
        code = 1
        crashed = our_fault(error)
        told = letters(f"{crashed.kind}: {crashed.message}\n{crashed.next_step}")
        print(json.dumps({"error": encode(crashed.trouble)}) if "--json" in sys.argv else told)
    sys.exit(code)
