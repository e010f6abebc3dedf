"""The child's side of a template: a process that has imported what its kind needs, and forks each child of its kind.

It has one thread, opens no file of a stranger and makes no call. The server asks for a child by one message with its
folder, its environment and its three pipes, and is told its id. A child is forked twice, so that the server adopts it
(PR_SET_CHILD_SUBREAPER, which the server holds meanwhile) and waits for it as for a process that it started itself.
"""

import contextlib
import json
import os
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from core.doors import residence

MESSAGE_BYTES = 1 << 20
UNFIT = 3
"""The exit code of a template that must not fork."""
ADOPTION_SECONDS = 0.0002


def serve() -> None:
    """Fork a child for each request on stdin, a socket; returns in the children, each in its own place."""
    server, pages = socket.socket(fileno=0), residence.held()
    residence.hold(pages)
    if residence.shared():
        os._exit(UNFIT)
    server.send(b"ready")
    while True:
        message, pipes, _, _ = socket.recv_fds(server, MESSAGE_BYTES, 3)
        if not message:
            os._exit(0)
        # Of several threads only the one that forks goes on in the child, with the locks that the others held.
        if len(list(Path("/proc/self/task").iterdir())) != 1:
            os._exit(UNFIT)
        if (child := _fork()) == 0:
            server.detach()
            _settle(json.loads(message), pipes)
            residence.hold(pages)
            return
        server.send(str(child).encode())
        for pipe in pipes:
            os.close(pipe)


def _fork() -> int:
    """Fork a child that is nobody's here and return its id; 0 in the child, -1 when it could not be made."""
    told, telling = os.pipe()
    try:
        between = os.fork()
    except OSError:
        between = -1
    if between == 0:
        _between(telling)
        return 0
    os.close(telling)
    with os.fdopen(told, "rb") as answer:
        child = int(answer.read() or b"-1")
    if between > 0:
        os.waitpid(between, 0)
    return child


def _between(telling: int) -> None:
    """Fork once more, tell the id and leave; returns in the child once its parent is another process."""
    me = os.getpid()
    try:
        child = os.fork()
        if child == 0:
            while os.getppid() == me:
                time.sleep(ADOPTION_SECONDS)
            return
        os.write(telling, str(child).encode())
    finally:
        if os.getpid() == me:
            os._exit(0)


def _settle(place: dict[str, Any], pipes: list[int]) -> None:
    """Take up what a process that was started for this place would have, and nothing of the template but its memory."""
    os.setsid()
    for number, pipe in enumerate(pipes):
        os.dup2(pipe, number)
    for descriptor in list(Path("/proc/self/fd").iterdir()):
        if int(descriptor.name) > 2:
            with contextlib.suppress(OSError):  # one of them listed the others
                os.close(int(descriptor.name))
    os.chdir(place["folder"])
    os.environ.clear()
    os.environ.update(place["environment"])
    _forget()


def _forget() -> None:
    """Drop what libraries drew or looked up when they were imported, so that no two children share it.

    Python reseeds its own generator in each fork, ONNX Runtime draws a seed for each session, and torch begins at the
    same number in every process.
    """
    tempfile.tempdir = None
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
