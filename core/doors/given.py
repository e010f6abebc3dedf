"""What the command line is given: files to store and to name as verbs need them, and words to read. Refused in words before a byte is copied."""

import argparse
import json
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

from core.border import archives
from core.domain.codec import decode
from core.domain.errors import Refused
from core.domain.gate import Bounds
from core.domain.ingestion import Ingested, IngestRequest
from core.domain.limits import MB, limit_mb
from core.domain.migration import Budgets
from core.domain.recipe import Option, Step
from core.domain.split import By, Split
from core.domain.stored import read
from core.domain.task import Task
from core.domain.work import Code, Data, Subject
from core.memory.blobs import Blob
from core.metrics import METRICS
from core.sandbox.tools import Tools
from core.verbs import ingest


def share(text: str) -> float:
    """Read a share as people write it, 3% or 0.03. Raises ValueError for anything else, and one that is negative."""
    found = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    Bounds(found)
    return found


def existing(path: Path) -> Path:
    """Return the path of a regular file before a byte of it is copied. Raises Refused for anything else, or one over the limit."""
    if not path.is_file():
        raise Refused(f"There is no file at {path}.", "Check the path.")
    check_size(path.stat().st_size, "The file")
    return path.resolve()


def check_size(size: int, what: str) -> None:
    """Raise Refused for more bytes than the limit."""
    if size > (limit := limit_mb() * MB):
        raise Refused(
            f"{what} has {size / MB:,.0f} MB; the limit is {limit // MB:,} MB.",
            "Raise PORTOLAN_MAX_UPLOAD_MB for larger files.",
        )


def inspected(tools: Tools, blob: Blob, name: str) -> Ingested:
    """Audit and inspect a file as the server does."""
    return ingest.run(tools, IngestRequest(blob.sha256, blob.size, name))


def subject_of(tools: Tools, path: Path, consent: bool) -> Subject:
    """Store a model file, audit it, and name it as a verb needs."""
    blob = tools.blobs.put(existing(path))
    format = inspected(tools, blob, path.name).format
    return Subject(blob.sha256, blob.size, format, path.name, consent=consent)


def data_of(tools: Tools, args: argparse.Namespace) -> Data | None:
    """Store the data set, if one is given, and name it as a verb needs."""
    if args.data is None:
        return None
    classes = tuple(name.strip() for name in args.classes.split(",") if name.strip())
    blob, name = stored_data(tools, args.data)
    return Data(blob.sha256, name, args.label, classes=classes, task=task_of(args), split=split_of(args))


def split_of(args: argparse.Namespace) -> Split | None:
    """Return by which column the halves are cut. Raises Refused for two of them."""
    if args.group and args.time:
        raise Refused("A data set is split by groups or by time, not by both.", "Leave out --group or --time.")
    if args.group:
        return Split(args.group, By.GROUP)
    return Split(args.time, By.TIME) if args.time else None


def task_of(args: argparse.Namespace) -> Task | None:
    """Return the task that is given, with the metric that is named. Raises Refused for what is no task, or no metric."""
    task = read_task(args.task)
    return task if args.metric is None else replace(task or Task(), metric=METRICS[args.metric].id)


def stored_data(tools: Tools, path: Path) -> tuple[Blob, str]:
    """Store a data set and name it; a folder becomes a zip. Raises Refused for what is neither file nor folder, or too large."""
    if not path.is_dir():
        return tools.blobs.put(existing(path)), path.name
    files = sorted(one for one in path.rglob("*") if one.is_file() and not one.is_symlink())
    check_size(sum(one.stat().st_size for one in files), "The folder")
    with tempfile.TemporaryDirectory(prefix="portolan-") as room:
        packed = Path(room, "data.zip")
        with zipfile.ZipFile(packed, "w") as archive:
            for one in files:
                archives.add(archive, one.relative_to(path).as_posix(), one)
        return tools.blobs.put(packed), f"{path.resolve().name}.zip"


def read_task(words: str | None) -> Task | None:
    """Read a task as `task` writes it, from a file or from the words themselves. Raises Refused for anything else."""
    if words is None:
        return None
    try:
        return read(Task, words if words.startswith("{") else existing(Path(words)).read_text())
    except ValueError:
        raise Refused("This file is not a task.", "Write one with: python -m core task MODEL -o TASK.json.") from None


def budgets_of(args: argparse.Namespace) -> Budgets:
    """Return what a package is held to. Raises Refused for what is no budget."""
    try:
        return Budgets(args.max_drop, args.latency_ms, args.memory_mb)
    except ValueError:
        raise Refused(
            "A budget is out of its range.", "Give a drop between 0 and 100 %, and milliseconds and megabytes above 0."
        ) from None


def code_of(tools: Tools, path: Path | None) -> Code | None:
    """Store the Python file, if one is given, and name it as a verb needs."""
    return None if path is None else Code(tools.blobs.put(existing(path)).sha256, path.name)


def pairs(options: list[str]) -> dict[str, Option]:
    """Split ``K=V`` words. Raises Refused for a word without an equals sign."""
    found: dict[str, Option] = {}
    for word in options:
        name, equals, value = word.partition("=")
        if not equals:
            raise Refused(f"{word!r} is not an option.", "Write --option name=value.")
        found[name] = value
    return found


def read_recipe(path: Path) -> tuple[Step, ...]:
    """Read a recipe as a bundle and a search write it. Raises Refused for anything else."""
    try:
        return decode(tuple[Step, ...], json.loads(path.read_text()))
    except ValueError:
        example = '[{"transform": "codebooks", "options": {"bits": 4}}]'
        raise Refused("This file is not a recipe.", f"Write a list of steps as JSON, such as {example}.") from None
