"""One changed file through the real border: inspected in the jail, and converted or run there where it was accepted."""

import random
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from benchmarks.mutations.bait import Bait
from benchmarks.mutations.change import mutated
from benchmarks.mutations.specimens import Specimen
from core.calls import convert, inspect, probe
from core.calls.bench import Bench
from core.converters import CONVERTERS
from core.domain.codec import encode
from core.domain.errors import FAULT, Cancelled, Crashed, PortolanError
from core.domain.transform import normal_options
from core.domain.work import Data, Model
from core.memory.blobs import Blob
from core.runtimes import cannot_run
from core.sandbox.tools import Tools

PATIENCE, STOPPING = 40.0, 5.0
"""Seconds until a job that still runs is stopped as a person would, and until it must have ended then."""
READING_SECONDS = 15.0
"""In which a file must be inspected or refused: 8 s is the child's own limit, the rest is a busy machine's."""
RAW = re.compile(
    r'Traceback|File "|site-packages|object at 0x|(?<![\w:/.])/(?:tmp|usr|root|home|work|var)/|\.cc:\d|\.cpp:\d|[\x00-\x08\x1b]'
)
"""What no sentence for people holds."""


@dataclass(frozen=True)
class Trial:
    """How one changed file ended: ``stage`` is where ("inspect", "convert", "run"), ``end`` how, in the child's words, with what was wrong with that."""

    number: int
    name: str
    format: str
    changed: str
    stage: str
    end: str
    words: str
    seconds: float
    faults: tuple[str, ...] = ()


def changed(specimens: list[Specimen], seed: int, number: int, bait: Bait) -> tuple[Specimen, str]:
    """Return the file of a number, always the same but for where the bait lies, and what of it was changed."""
    specimen, dice = specimens[number % len(specimens)], random.Random(f"{seed} {number}")
    data, what = mutated(specimen.data, specimen.name, dice, bait)
    return replace(specimen, data=data), what


@dataclass
class Way:
    """How far one file came."""

    stage: str = "inspect"
    heard: str = ""


def tried(specimen: Specimen, what: str, number: int, tools: Tools, bait: Bait, model: Model) -> Trial:
    """Give one changed file to the border, and look at the bait afterwards; ``model`` is for data sets to be given to."""
    began, way, end, words = time.monotonic(), Way(), "accepted", ""
    faults: list[str] = []
    try:
        with patience(tools.cancel):
            follow(Bench(tools), specimen, number, model, way)
    except PortolanError as error:
        end, words = ending(error), f"{error.message} {error.next_step}".strip()
        faults += wording(error, bait)
    took = time.monotonic() - began
    if way.stage == "inspect" and took > READING_SECONDS:
        faults.append(f"answered in {took:.0f} s")
    if took > PATIENCE + STOPPING:
        faults.append(f"did not stop for {took - PATIENCE:.0f} s")
    faults += [f"ESCAPE: {one}" for one in bait.touched(way.heard + words)]
    return Trial(
        number, specimen.name, specimen.format, what, way.stage, end, words[:600], round(took, 2), tuple(faults)
    )


def follow(bench: Bench, specimen: Specimen, number: int, model: Model, way: Way) -> None:
    """Inspect a file, and convert it by the first converter that takes it, or run it; a data set is given to ``model``."""
    blob = stored(bench.tools, specimen.data)
    if specimen.format == "data":
        way.stage = "run"
        way.heard = str(encode(probe.ask(bench, model, Data(blob.sha256, specimen.name)).evidence))
        return
    found = inspect.ask(bench, blob.sha256, specimen.name)
    way.heard, read = str(encode(found)), Model(blob.sha256, blob.size, found.format)
    converter = next((one for one in CONVERTERS if one.source == read.format and one.unavailable() is None), None)
    if cannot_run(read.format) is None and (converter is None or random.Random(number).random() < 0.5):
        way.stage = "run"
        way.heard += str(encode(probe.ask(bench, read, None).evidence))
    elif converter is not None:
        way.stage = "convert"
        convert.ask(bench, read, converter, normal_options(converter.Options, {}))


def stored(tools: Tools, data: bytes) -> Blob:
    """Store a file as an upload does."""
    with tools.blobs.writer() as writer:
        writer.write(data)
        return writer.commit()


@contextmanager
def patience(cancel: threading.Event) -> Iterator[None]:
    """Stop what takes too long, as a person would."""
    timer = threading.Timer(PATIENCE, cancel.set)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        cancel.clear()


def ending(error: PortolanError) -> str:
    """Name how it ended: refused, over a limit, stopped, the child killed, or an accident of ours."""
    if isinstance(error, Crashed):
        return "accident" if FAULT in error.message else "killed the child"
    return "stopped" if isinstance(error, Cancelled) else error.kind


def wording(error: PortolanError, bait: Bait) -> list[str]:
    """Return what is wrong with the words: our fault, raw text of a library, no next step; the file's own names may stand there."""
    faults = ["our fault"] if FAULT in error.message else []
    if raw := RAW.search(
        f"{error.message} {error.next_step}".replace(str(bait.folder), "")
        .replace("/etc/passwd", "")
        .replace("/tmp/portolan-canary", "")
    ):
        faults.append(f"raw text: {raw[0]!r}")
    if not error.next_step.strip():
        faults.append("no next step")
    if not error.message.strip().endswith((".", "?", "!", ")")):
        faults.append("no sentence")
    return faults
