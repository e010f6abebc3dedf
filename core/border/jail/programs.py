"""One program that a jailed child may have run: by a helper process that forks before anything hostile is read.

The helper is locked as the child is, but may fork and start that one file. It reads nothing but argument lists from the
child, runs one program at a time, and puts the closed filter on each fork, so that a program that a model took over
can neither fork nor start another. All of them end with the child.
"""

import ctypes
import json
import os
import platform
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from core.border import jail
from core.border.jail import syscalls
from core.domain.errors import Crashed, OverLimit, Unavailable
from core.domain.limits import Limits

PR_SET_PDEATHSIG = 1
SAID_BYTES = 20_000
REQUEST_BYTES = 1 << 16
COLUMN = 0 if platform.machine() == "x86_64" else 1


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit code, negative for a signal, and the end of what it printed."""

    code: int
    said: str


class Starter:
    """The child's side of the helper: two pipes."""

    def __init__(self, requests: int, answers: int, log: Path) -> None:
        self._requests, self._answers, self._log = requests, os.fdopen(answers, "rb"), log

    def run(self, arguments: Sequence[str]) -> Ended:
        """Run the program in the scratch folder and wait for its end. Raises Crashed when the helper is gone."""
        os.write(self._requests, json.dumps(list(arguments)).encode() + b"\n")
        answer = self._answers.readline()
        if not answer:
            raise Crashed("The helper process that starts programs has ended.", "Try it again.")
        said = self._log.read_bytes() if self._log.exists() else b""
        return Ended(int(json.loads(answer)), said[-SAID_BYTES:].decode(errors="replace"))


_starters: list[Starter] = []


def start(program: Path, scratch: Path, limits: Limits) -> None:
    """Fork the helper and lock it; call it on a process with one thread, before the jail and before any hostile byte."""
    log = scratch / "tmp" / "program.log"
    requests, answers = os.pipe(), os.pipe()
    parent = os.getpid()
    if os.fork() == 0:
        os.close(requests[1])
        os.close(answers[0])
        _serve(program, scratch, limits, parent, requests[0], answers[1])
    os.close(requests[0])
    os.close(answers[1])
    _starters.append(Starter(requests[1], answers[0], log))


def run(arguments: Sequence[str]) -> Ended:
    """Run this child's program with arguments. Raises Unavailable outside a child that has one, OverLimit or Crashed as it ends."""
    if not _starters:
        raise Unavailable("This needs a program that only the sandbox can start.", "Convert it in Portolan.")
    ended = _starters[0].run(arguments)
    if ended.code in (-signal.SIGXCPU, -signal.SIGKILL):
        raise OverLimit("The converter's program exceeded its limit of time or memory.", "Try a smaller model.")
    if ended.code < 0:
        raise Crashed(
            f"The model crashed the converter's program ({signal.Signals(-ended.code).name}).",
            "Nothing else was harmed. Try another source format or another target.",
        )
    return ended


def _serve(program: Path, scratch: Path, limits: Limits, parent: int, requests: int, answers: int) -> NoReturn:
    """Answer argument lists with exit codes until the child closes its end; never returns."""
    code = 1
    try:
        _die_with(parent)
        jail.lock_starter(scratch, limits, program)
        with os.fdopen(requests, "rb") as lines:
            while line := lines.readline(REQUEST_BYTES):
                os.write(answers, json.dumps(_run(program, json.loads(line))).encode() + b"\n")
        code = 0
    finally:
        os._exit(code)


def _run(program: Path, arguments: list[str]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(program, arguments, parent)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _become(program: Path, arguments: list[str], parent: int) -> NoReturn:
    """Turn this fork into the program, with its output in a file of the scratch folder; 127 when that fails."""
    try:
        _die_with(parent)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        log = os.open("tmp/program.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        path = ctypes.create_string_buffer(os.fsencode(program))
        here = ctypes.addressof(path)
        words = _vector([os.fsencode(program), *(os.fsencode(str(word)) for word in arguments)])
        names = _vector([f"{name}={value}".encode() for name, value in os.environ.items()])
        jail.filter_calls(syscalls.compiled_started(os.getpid(), here))
        ctypes.CDLL(None).syscall(ctypes.c_long(syscalls.EXECVE[COLUMN] or 0), ctypes.c_void_p(here), words, names)
    finally:
        os._exit(127)


def _vector(words: list[bytes]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * (len(words) + 1))(*words, None)


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
