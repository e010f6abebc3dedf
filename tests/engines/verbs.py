"""Verbs that workers of the tests' own cluster know; they import them by name, as they import Portolan's."""

import json
import os
import time
from pathlib import Path
from typing import Any

from core.domain.codec import Json
from core.domain.errors import Cancelled, Refused
from core.jobs.engines import remote_worker
from core.jobs.verb import Verb, Verbs
from core.memory.store import Store
from core.sandbox.tools import Tools

Plain = dict[str, Json]


def write(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Store a blob that holds the text of another blob, twice."""
    text = tools.blobs.verify(args["sha256"]).read_bytes()
    tools.progress(0.5, "Writing")
    with tools.blobs.writer() as writer:
        writer.write(text + text)
        blob = writer.commit()
    return {"sha256": blob.sha256, "size": blob.size, "process": os.getpid()}


def hold(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Say which process this is, and stay until the job is stopped or the file ``args["open"]`` is there."""
    tools.progress(0.25, f"Holding in {os.getpid()}")
    while not Path(args["open"]).exists():
        if tools.cancel.wait(0.02):
            Path(args["open"] + ".stopped").touch()
            raise Cancelled("The child was killed.")
    return {"process": os.getpid()}


def wander(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Ask for other work or answer it, keep what was found, and hold."""
    other = {"sha256": args["sha256"]}
    found = tools.memory.known("write", other, Plain)
    result = write(tools, other) if found is None else found
    if found is None:
        tools.memory.answer("write", other, result)
    tools.memory.keep({"knew": found is not None, "bytes": tools.blobs.path(result["sha256"]).stat().st_size})
    return {**hold(tools, args), "knew": found is not None}


def refuse(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    raise Refused("This file has no head.", "Give it one.")


def crash(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    raise ZeroDivisionError("over\nthe edge")


def lie(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Make a blob, and put other bytes of the same length under its name in the share."""
    with tools.blobs.writer() as writer:
        writer.write(b"honest bytes" + os.urandom(8))
        blob = writer.commit()
    (Path(args["share"]) / blob.sha256).write_bytes(os.urandom(blob.size))
    return {"sha256": blob.sha256}


def slow(tools: Tools, args: dict[str, Any]) -> dict[str, Any]:
    """Tell progress for a while."""
    for number in range(args["lines"]):
        tools.progress(number / args["lines"], f"line {number}")
        time.sleep(args["pause"])
    return {}


def nothing(store: Store, visitor: str, args: dict[str, Any], result: dict[str, Any], job: str) -> str | None:
    return None


def record_written(store: Store, visitor: str, args: dict[str, Any], result: dict[str, Any], job: str) -> str | None:
    """Write the artifact's row, which needs the blob in the store."""
    row = store.add_artifact(visitor, sha256=result["sha256"], size=result["size"], format="onnx", name="written")
    return row.id


def titled(args: dict[str, Any]) -> str:
    return "Work of the tests"


WORKS = {"hold": hold, "wander": wander, "refuse": refuse, "crash": crash, "lie": lie, "slow": slow}
VERBS: Verbs = {
    "write": Verb("write", Plain, Plain, write, record_written, titled, page="models.py"),
    **{name: Verb(name, Plain, Plain, work, nothing, titled, page="models.py") for name, work in WORKS.items()},
}
VERSION = "tests"


def carry(request: str) -> str:
    """Run a job that a test sent to this worker; one that nobody listens to is stopped sooner than in earnest."""
    remote_worker.BEAT_SECONDS, remote_worker.SILENCE_SECONDS = 0.5, 3.0
    return remote_worker.carry(request, {name: verb.work for name, verb in VERBS.items()}, VERSION)


class Poison:
    """What runs code of its own choice where a pickle of it is loaded: it writes down in which process."""

    def __init__(self, place: str) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, ...]:
        return exec, (f"import os; open({self.place!r}, 'a').write(f'{{os.getpid()}} ')",)


class Poisoned(Exception):
    """The same as an error."""

    def __reduce__(self) -> tuple[object, ...]:
        return Poison(str(self.args[0])).__reduce__()


def place_in(request: str) -> str:
    return str(json.loads(request)["spec"]["args"]["place"])


def poisoned_result(request: str) -> object:
    """Answer as a worker that was taken over."""
    return Poison(place_in(request))


def poisoned_error(request: str) -> str:
    raise Poisoned(place_in(request))
