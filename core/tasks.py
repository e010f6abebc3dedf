"""The few things that a child does with a model, each a thin function from plain arguments to a plain answer.

Files are named by keys that the sandbox chose: ``in/<key>`` to read, ``out/`` to write. ``isolation_full`` in the
arguments is the sandbox's own word on the jail, never a caller's.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import jail
from core.domain.errors import Refused, Trouble
from core.domain.format import Format, Risk
from core.domain.integer_products import Integers, Sums
from core.domain.runtime import Runtime, Session
from core.domain.technique import Lesson
from core.domain.transform import CODE

if TYPE_CHECKING:
    from core.proof.datasets import Dataset

Progress = Callable[[float | None, str], None]

IN, OUT = Path("in"), Path("out")


def inspect(args: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Recognise, audit and read ``file``, and write ``out/graph.onnx`` where the format has a graph.

    Raises Refused for a file of no known format; an audit that refuses is an answer with ``trouble``.
    """
    from core.formats import recognise

    path = IN / args["file"]
    format = recognise(path, args["name"])
    risks = format.audit(path)
    trouble = refusal(risks) or unsafe_here(format, args)
    answer = {
        "format": format.id,
        "title": format.title,
        "code_bearing": format.code_bearing,
        "trouble": trouble.to_json() if trouble else None,
        "risks": [risk.to_json() for risk in risks],
    }
    if trouble:
        return {**answer, "summary": None, "graph": False}
    progress(0.5, "Reading what the file says")
    read = format.inspect(path).to_json()
    answer["risks"] = [*(risk.to_json() for risk in risks), *integer_risks(read["notes"])]
    summary = {**read, "risks": answer["risks"]}
    return {**answer, "summary": summary, "graph": format.graph(path, OUT / args.get("graph", "graph.onnx"))}


def inspect_all(args: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Inspect each of ``files`` as ``inspect`` does, with the graphs in ``out/graph0.onnx``, ``out/graph1.onnx`` ..."""
    several = [{**args, "file": file, "graph": f"graph{place}.onnx"} for place, file in enumerate(args["files"])]
    return {"found": [inspect(one, progress) for one in several]}


def integer_risks(notes: dict[str, Any]) -> list[dict[str, str]]:
    """Return what this processor makes of the integers of a file, where that depends on the processor."""
    if not notes.get("integers"):
        return []
    from core import host_truth

    risk = host_truth.warned(Integers.from_json(notes["integers"]))
    return [risk.to_json()] if risk else []


def refusal(risks: tuple[Risk, ...]) -> Trouble | None:
    """Return the audit's reasons to refuse a file as one trouble, or None when there are none."""
    refused = [risk for risk in risks if risk.level == "refuse"][:3]
    if not refused:
        return None
    reasons = [risk.what + (f" ({risk.where})" if risk.where else "") for risk in refused]
    steps = dict.fromkeys(risk.next_step for risk in refused if risk.next_step)
    return Trouble(Refused.kind, " ".join(reasons), " ".join(steps) or "Export the model again, or ask its author to.")


def unsafe_here(format: Format, args: dict[str, Any]) -> Trouble | None:
    """Return why a format whose loader can run code is not opened on a machine where the jail is not full."""
    if not format.code_bearing or args["isolation_full"]:
        return None
    message = f"A file of the format {format.title} can carry code, and this machine cannot lock it in."
    return Trouble(Refused.kind, message, "Use ONNX, safetensors or skops, or run Portolan on Linux 6.12 or newer.")


def must_be_safe(format: str, args: dict[str, Any]) -> None:
    """Raise Refused where ``unsafe_here`` has a reason, or the owner's code cannot be locked in."""
    from core.formats import FORMATS

    if trouble := unsafe_here(FORMATS[format], args):
        raise Refused(trouble.message, trouble.next_step)
    if (IN / CODE).exists() and not args["isolation_full"]:
        raise Refused(
            "A Python file is a program, and this machine cannot lock it in.", "Run Portolan on Linux 6.12 or newer."
        )


def convert(args: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Write ``out/artifact`` in the target format of ``converter``."""
    from core.converters import CONVERTERS
    from core.domain.transform import parse_options

    must_be_safe(args["format"], args)
    converter = CONVERTERS[args["converter"]]
    if converter.source != args["format"]:
        raise Refused(f"{converter.title} does not read {args['format']}.", f"It reads {converter.source}.")
    converter.convert(IN / args["file"], OUT / "artifact", parse_options(converter.Options, args["options"]))
    return {}


def compress(args: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Write ``out/artifact``, the model of ``file`` after ``technique``, which learns from the calibration half of ``data`` alone."""
    from core.domain.transform import parse_options
    from core.techniques import TECHNIQUES

    technique = TECHNIQUES[args["technique"]]
    options = parse_options(technique.Options, args["options"])
    lesson = Lesson(IN / args["teacher"], {})
    if technique.calibrates:
        lesson = learned_from(args, lesson.teacher, technique.rows)
    technique.apply(IN / args["file"], OUT / "artifact", options, replace(lesson, tell=progress))
    return {}


def learned_from(args: dict[str, Any], teacher: Path, rows: int) -> Lesson:
    """Return the first samples with their labels. Raises Refused where there are none."""
    dataset = open_dataset(args, open_session(args))
    if dataset is None:
        raise Refused("This technique learns from samples, and there are none.", "Add a data set; it needs no labels.")
    return Lesson(teacher, dataset.samples(0, rows), None if dataset.labels is None else dataset.labels[:rows])


def probe(args: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Run the source on seeded inputs and on ``data`` if given, and keep inputs and answers in ``out/golden.npz`` and ``out/golden.bin``.

    ``shapes`` in the answer is what the inputs turned out to be, in the words that converters take.
    """
    from core import torchscripts
    from core.proof import probes

    session = open_summing(args)
    dataset = open_dataset(args, session)
    cases = probes.record(session, args["seed"], dataset, OUT / "golden.npz", args.get("shapes", ""))
    return {
        "cases": cases,
        "signature": session.signature.to_json(),
        "versions": probes.versions(),
        "labelled": dataset is not None and dataset.labels is not None,
        "shapes": torchscripts.shapes_text(session.signature.inputs),
    }


def compare(args: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Replay recorded inputs on the target, and judge its answers by the tolerance; the answer is a Parity."""
    from core.domain.transform import Tolerance
    from core.proof import parity

    tolerance = Tolerance(args["absolute"], args["relative"], args["flips"])
    return parity.compare(open_summing(args), IN / args["golden"], tolerance, args["seed"]).to_json()


def diverge(args: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Name the first operator where two files part, by the values between operators that both name."""
    from core.proof import divergence

    for format in args["formats"]:
        must_be_safe(format, args)
    source, target = (IN / key for key in args["files"])
    return {"operator": divergence.first(source, target, IN / args["golden"], *args["formats"])}


def evaluate(args: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Measure the model on labelled data; the answer is a Quality."""
    from core.proof import quality

    session = open_session(args)
    dataset = open_dataset(args, session)
    if dataset is None:
        raise Refused("There is no data set to measure on.", "Add one with labels.")
    return quality.evaluate(session, dataset).to_json()


def race(args: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Time the second of two ``entrants``, each told as ``open_session`` is, against the first on recorded inputs; the answer is a Race."""
    from core.proof import golden, speed

    full = args["isolation_full"]
    parent, variant = (opener({**entrant, "isolation_full": full}) for entrant in args["entrants"])
    inputs, batch = golden.read(IN / args["golden"]).ordinary(args["batch"])
    return speed.race(parent, variant, inputs, batch, args["seed"], args["seconds"], progress).to_json()


def footprint(args: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Measure the memory that ``file`` takes while it is opened and while it answers recorded inputs; the answer is a Footprint."""
    from core.proof import golden, memory
    from core.runtimes import RUNTIMES

    inputs, batch = golden.read(IN / args["golden"]).ordinary(args["batch"])
    packages = RUNTIMES[args["runtime"]].packages
    return memory.footprint(IN / args["file"], packages, opener(args), inputs, batch).to_json()


def pack(args: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Write ``out/packed``, the ONNX ``file`` packed for travel; that it comes back byte for byte was tried."""
    from core.pack import packed

    (OUT / "packed").write_bytes(packed((IN / args["file"]).read_bytes()))
    return {}


def kernels(args: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Count the operators that are left of ``file`` when it runs; the answer is a Kernels."""
    from core.proof import kernels as proof

    return proof.count(IN / args["file"]).to_json()


def weights(args: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Set the weights of two ``files`` beside each other; the answer holds a WeightChange a tensor."""
    from core.proof import weights as proof

    before, after = (IN / key for key in args["files"])
    return {"tensors": [one.to_json() for one in proof.changes(before, after)]}


def open_session(args: dict[str, Any]) -> Session:
    """Load ``file`` in ``runtime``. Raises Refused where the runtime does not take the format, or the jail is not full."""
    runtime = runtime_of(args)
    return runtime.open_with(IN / args["file"], args["format"], args.get("given") or {})


def open_summing(args: dict[str, Any]) -> Session:
    """Load ``file`` in ``runtime`` as ``open_session`` does, with integers added as ``sums`` says."""
    runtime, sums = runtime_of(args), Sums(args.get("sums", Sums.AS_RUN))
    if sums is Sums.EXACT:
        return runtime.open_exact(IN / args["file"], args["format"], args.get("given") or {})
    if sums is Sums.WITHOUT_VNNI:
        os.environ.update(runtime.without_vnni)
    return open_session(args)


def opener(args: dict[str, Any]) -> Callable[[], Session]:
    """Return the call that does what ``open_session`` does, to be made as often as a measurement needs."""
    return runtime_of(args).opener(IN / args["file"], args["format"], args.get("given") or {})


def runtime_of(args: dict[str, Any]) -> Runtime:
    """Return ``runtime``. Raises Refused where it does not take the format, or the jail is not full."""
    from core.runtimes import RUNTIMES

    must_be_safe(args["format"], args)
    runtime = RUNTIMES[args["runtime"]]
    if args["format"] not in runtime.formats:
        raise Refused(f"{runtime.title} does not run {args['format']}.", f"It runs {', '.join(runtime.formats)}.")
    return runtime


def open_dataset(args: dict[str, Any], session: Session) -> "Dataset | None":
    """Read ``data``, or the half of it that the job may see, for the inputs of a session; None when the job has none."""
    from core.proof.datasets import read_dataset

    if not args.get("data"):
        return None
    dataset = read_dataset(IN / args["data"], args.get("label"), session.signature)
    return dataset.half(args["half"]) if args.get("half") else dataset


def self_test(args: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Try each forbidden act and say which walls hold."""
    return jail.self_test(Path(args["canary"]), Path(args["home"]), args["memory_mb"])
