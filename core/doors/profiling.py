"""Profile on the command line: what one model costs, and the other ways to ask for it, each by a verb of its own."""

import argparse
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.answers.queueing import real_time
from core.domain.codec import encode
from core.domain.errors import Refused
from core.domain.factors import FactorsRequest
from core.domain.gate import Bounds
from core.domain.price import EXAMPLES, Assumptions, price
from core.domain.profile import ProfileRequest
from core.domain.report import Verdict
from core.domain.side_by_side import SideBySideRequest
from core.domain.training_cost import TrainingRequest
from core.domain.versus import VersusRequest
from core.doors import console
from core.doors.given import code_of, data_of, pairs, share, subject_of
from core.formats import FORMATS
from core.sandbox.tools import Tools
from core.verbs import factors, profile, side_by_side, training, versus


@dataclass(frozen=True)
class Found:
    """What was measured: one object for programs, what prints it for people, and the verdict where bounds were given."""

    value: dict[str, Any]
    words: Callable[[], None]
    verdict: Verdict | None = None


Way = Callable[[Tools, argparse.Namespace], Found]


def declare(command: argparse.ArgumentParser) -> None:
    """Add what can be asked."""
    command.add_argument("file", type=Path)
    command.add_argument("--threads", type=int, default=1, metavar="N", help="threads of the runtime")
    command.add_argument("--batch", type=int, default=1, metavar="B", help="samples in one call")
    command.add_argument("--curves", action="store_true", help="also try calls of 1 to 32 samples, and more threads")
    command.add_argument(
        "--against", type=Path, metavar="OLD", help="model to time and weigh this one against, in pairs"
    )
    command.add_argument(
        "--against-threads", type=int, default=1, metavar="N", help="threads of the other one's runtime"
    )
    for bound, what in (("slowdown", "slower"), ("memory", "more memory")):
        command.add_argument(
            f"--max-{bound}",
            type=share,
            metavar="SHARE",
            help=f"how much {what} is allowed, such as 3%%; needs --against; exit 0 proven within, 1 proven beyond, 3 not settled",
        )
    command.add_argument(
        "--runtimes",
        nargs="*",
        metavar="FILE_OR_FORMAT",
        help="run it instead in several runtimes: name files that were converted from it, or formats to convert it to; without names, every format that runs here",
    )
    command.add_argument(
        "--factors",
        nargs="*",
        type=Path,
        metavar="VARIANT",
        help="find instead what the time depends on: size of the data, threads, and complexity, for which you name variants of the model",
    )
    command.add_argument(
        "--deadline",
        type=float,
        metavar="MS",
        help="milliseconds until an answer; says which rate of random arrivals keeps it",
    )
    command.add_argument(
        "--workers", type=int, default=1, metavar="N", help="with --deadline: how many answer side by side"
    )
    command.add_argument("--training", action="store_true", help="estimate instead the memory that training takes")
    command.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="K=V",
        help="with --training: an option of weights alone, such as architecture=resnet18",
    )
    command.add_argument("--code", type=Path, help="with --training: the Python file that defines the network")


def way(args: argparse.Namespace) -> Way:
    """Return what measures what is asked. Raises Refused for a bound without a model to hold it against."""
    if args.against is None and (args.max_slowdown, args.max_memory) != (None, None):
        raise Refused("A bound needs a model to hold it against.", "Name one with --against.")
    if args.factors is not None:
        return hanging_on
    if args.runtimes is not None:
        return in_every_runtime
    if args.against is not None:
        return beside
    return trained if args.training else alone


def alone(tools: Tools, args: argparse.Namespace) -> Found:
    """Measure the report card of a model."""
    subject, data = subject_of(tools, args.file, args.consent), data_of(tools, args)
    result = profile.run(tools, ProfileRequest(subject, data, args.batch, args.threads, args.curves))
    timed = result.timing
    queue = real_time(timed.service, args.deadline, args.workers) if args.deadline else None
    costs = [asdict(price(timed.cpu, timed.batch, one, Assumptions())) | {"machine": one.name} for one in EXAMPLES]
    written = {**encode(result), "estimates": costs, "real_time": queue and asdict(queue)}
    return Found(written, lambda: console.profile(result, queue))


def beside(tools: Tools, args: argparse.Namespace) -> Found:
    """Measure how a model stands beside another, and hold it to bounds where some are given."""
    asked = args.max_slowdown, args.max_memory
    bounds = Bounds(*asked) if asked != (None, None) else None
    subject, against = (subject_of(tools, path, args.consent) for path in (args.file, args.against))
    threads = args.against_threads, args.threads
    result = versus.run(tools, VersusRequest(subject, against, data_of(tools, args), args.batch, bounds, threads))
    return Found(encode(result), lambda: console.versus(result), result.gate.verdict if result.gate else None)


def in_every_runtime(tools: Tools, args: argparse.Namespace) -> Found:
    """Measure how a model does in every runtime."""
    subject, data = subject_of(tools, args.file, args.consent), data_of(tools, args)
    known = {one.id for one in FORMATS}
    others = tuple(subject_of(tools, Path(word), args.consent) for word in args.runtimes if word not in known)
    formats = tuple(word for word in args.runtimes if word in known)
    if not args.runtimes:
        formats = side_by_side.reachable(subject.format)
    result = side_by_side.run(tools, SideBySideRequest(subject, others, formats, data, args.batch))
    return Found(encode(result), lambda: console.side_by_side(result))


def hanging_on(tools: Tools, args: argparse.Namespace) -> Found:
    """Measure what the time of a call hangs on."""
    subject, data = subject_of(tools, args.file, args.consent), data_of(tools, args)
    variants = tuple(subject_of(tools, path, args.consent) for path in args.factors)
    result = factors.run(tools, FactorsRequest(subject, variants, data))
    return Found(encode(result), lambda: console.factors(result))


def trained(tools: Tools, args: argparse.Namespace) -> Found:
    """Estimate what a model takes to train."""
    subject, data = subject_of(tools, args.file, args.consent), data_of(tools, args)
    result = training.run(tools, TrainingRequest(subject, data, pairs(args.option), code_of(tools, args.code)))
    return Found(encode(result), lambda: console.training(result, args.batch))
