"""The child side of the border: one process, one call, one answer, then the end.

Started by the sandbox as ``python -m core.doors.worker KIND PARENT`` in a scratch folder, or forked from a process that
was started with the further word ``template`` (core/doors/template.py). It imports what its kind needs, says that it is ready, takes one JSON request on stdin, locks the jail around itself and answers in JSON lines on what
was its stdout; whatever libraries print goes to stderr, where the sandbox keeps the last of it. stdin stays open as a
watch: its end means that the parent is gone.
"""

import ctypes
import errno
import gc
import importlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from core.border import jail
from core.border.jail import programs
from core.calls import table
from core.calls.call import Call, Here, Progress
from core.domain import groups
from core.domain.codec import Json, decode, encode, prepare
from core.domain.errors import OverLimit, PortolanError, Unavailable, first_line, our_fault
from core.domain.limits import Limits
from core.doors import template

Work = Callable[[Json, Here], Json]


def served(name: str, args: Json, here: Here) -> Json:
    """Make a call of the table."""
    return table.call(name).serve(args, here)


WORKS: Mapping[str, Work] = {name: partial(served, name) for name in table.NAMES}

_SHELVES = (
    "core.formats",
    "core.converters",
    "core.techniques",
    "core.runtimes",
    "core.proof.probes",
    "core.proof.parity",
    "core.proof.quality",
)
_CALLS = tuple(f"core.calls.{name}" for name in table.NAMES)
_LIGHT = ("numpy", "onnx", "onnx.checker", "onnxruntime", *_SHELVES, *_CALLS)
_TORCH = ("torch", "torch.export", "torch.onnx", "onnxscript", *_LIGHT)
PRELOAD: Mapping[str, tuple[str, ...]] = {
    "bare": (),
    "light": _LIGHT,
    "torch": _TORCH,
    "sklearn": (
        "sklearn.pipeline",
        "sklearn.ensemble",
        "core.libraries.sklearn.skops_alone",
        "skl2onnx",
        "onnxmltools",
        *_LIGHT,
    ),
    "ncnn": _TORCH,
    "executorch": _TORCH,
    "litert": _TORCH,
}
"""What each kind imports before the jail is locked; all else still can be imported later, only slower.

A kind that is named after a group has the group's interpreter and its program.
"""

PR_SET_PDEATHSIG = 1
NO_MEMORY = ("bad_alloc", "allocate memory", "out of memory")
PROGRESS_SECONDS = 0.05


def main(
    works: Mapping[str, Work] = WORKS,
    preload: Mapping[str, tuple[str, ...]] = PRELOAD,
    program_for: Callable[[str], Path | None] = groups.program_for,
) -> NoReturn:
    """Serve one request and leave the process, or fork children that do; never returns."""
    kind, parent, forks = sys.argv[1], int(sys.argv[2]), sys.argv[3:] == ["template"]
    die_with(parent)
    if forks:
        _prepare(preload[kind])
        template.serve()
        die_with(parent)
    events = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        _prepare(preload[kind])
    except ImportError as missing:
        _end(
            events,
            _failure(
                Unavailable(
                    f"A library is missing: {first_line(missing)}.", "Run `make .venv` to install the requirements."
                )
            ),
        )
    _emit(events, {"event": "ready"})
    line = sys.stdin.buffer.readline()
    if line:
        _end(events, _serve(json.loads(line), works, events, program_for(kind)))
    os._exit(0)


def _prepare(names: tuple[str, ...]) -> None:
    """Import modules, read the declarations of the calls among them and find what the jail leaves readable. Raises ImportError for one that is missing."""
    for name in names:
        module = importlib.import_module(name)
        if isinstance(row := getattr(module, "CALL", None), Call):
            prepare(row.request)
    prepare(Limits)
    jail.libraries()
    gc.freeze()


def _serve(
    request: dict[str, Any], works: Mapping[str, Work], events: BinaryIO, program: Path | None
) -> dict[str, Any]:
    limits = decode(Limits, request["limits"])
    try:
        _stand_back(limits.nice)
        if program:
            programs.start(program, Path.cwd(), limits)
        jail.lock(Path.cwd(), limits)
        threading.Thread(target=_watch_parent, daemon=True).start()
        here = Here(request["isolation_full"], _progress(events))
        return {"event": "result", "value": works[request["call"]](request["args"], here)}
    except BaseException as error:  # a model may raise SystemExit as well
        return _failure(_for_people(error, limits))


def _stand_back(nice: int) -> None:
    """Let the server and brief work have the processors first.

    Linux shares them among sessions before it looks at nice(2), and each child has a session of its own: sched(7), "The
    autogroup feature". It takes a change each tenth of a second from all plain users together.
    """
    os.nice(nice)
    for _ in range(3 if nice else 0):
        try:
            Path("/proc/self/autogroup").write_text(str(nice))
            return
        except BlockingIOError:
            time.sleep(0.1)
        except OSError:  # there are no such groups here
            return


def _progress(events: BinaryIO) -> Progress:
    last = -PROGRESS_SECONDS

    def tell(fraction: float | None, text: str) -> None:
        nonlocal last
        if time.monotonic() - last >= PROGRESS_SECONDS:
            last = time.monotonic()
            _emit(events, {"event": "progress", "fraction": fraction, "text": text})

    return tell


def _for_people(error: BaseException, limits: Limits) -> PortolanError:
    """Turn what went wrong into one sentence; memory and disk that ran out are limits, the rest is a crash."""
    if isinstance(error, PortolanError):
        return error
    text = str(error)
    if isinstance(error, MemoryError) or any(sign in text.lower() for sign in NO_MEMORY):
        return OverLimit(f"The job needs more memory than the limit of {limits.memory_mb} MB.", "Try a smaller model.")
    if isinstance(error, OSError) and error.errno == errno.EFBIG:
        return OverLimit(f"The job writes a file larger than the limit of {limits.file_mb} MB.", "Try a smaller model.")
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return OverLimit("The disk is full.", "Free some disk space and try again.")
    return our_fault(error)


def _failure(error: PortolanError) -> dict[str, Any]:
    return {"event": "error", **encode(error.trouble)}


def _emit(events: BinaryIO, event: dict[str, Any]) -> None:
    events.write(json.dumps(event).encode() + b"\n")
    events.flush()


def _end(events: BinaryIO, event: dict[str, Any]) -> NoReturn:
    _emit(events, event)
    os._exit(0)


def die_with(parent: int) -> None:
    """Ask the kernel to end this process when the thread that started it ends, and to end it first when memory is short."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        Path("/proc/self/oom_score_adj").write_text("1000")
    if os.getppid() != parent:
        os._exit(1)


def _watch_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
