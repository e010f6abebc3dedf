"""A bench whose calls are made in this very process, so that one process can do many conversions the way the verbs do them; without a jail, for models of our own alone."""

import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

from core.calls.bench import Answered, Bench
from core.calls.call import IN, OUT, Call, Here
from core.domain.codec import decode, encode
from core.domain.limits import WORKING, Limits
from core.memory.blobs import Blob, Blobs
from core.sandbox import Sandbox
from core.sandbox.tools import Tools
from core.sandbox.watch import Progress, ignore

Q = TypeVar("Q")
A = TypeVar("A")
STORE = "blob-"


class Flat(Blobs):
    """Files by their SHA-256 beside each other in ``out/``, where the calls of a child write."""

    def __init__(self) -> None:
        """Begin with what lies there."""

    def put(self, source: Path) -> Blob:
        """Keep a file."""
        data = source.read_bytes()
        name = sha256(data).hexdigest()
        self.path(name).write_bytes(data)
        return Blob(name, len(data))

    def path(self, sha256: str) -> Path:
        """Return where a file lies."""
        return OUT / f"{STORE}{sha256}"

    def forget(self) -> None:
        """Remove all files."""
        for path in OUT.glob(f"{STORE}*"):
            path.unlink()


class Local(Bench):
    """Makes each call with the files of its request in ``in/``, from JSON to JSON as a child would."""

    def __init__(self, here: Here) -> None:
        tools = Tools(Flat(), cast(Sandbox, None), lambda share, text: None, threading.Event())
        super().__init__(tools)
        self._here = here

    @contextmanager
    def call(
        self,
        call: Call[Q, A],
        request: Q,
        blobs: Mapping[str, str],
        kind: str,
        limits: Limits = WORKING,
        progress: Progress = ignore,
    ) -> Iterator[Answered[A]]:
        """Do the work here, and put the environment and the files back as they were."""
        before = dict(os.environ)
        try:
            for key, name in blobs.items():
                shutil.copyfile(self.tools.blobs.path(name), IN / key)
            value: Any = call.serve(encode(request), self._here)
            yield Answered(decode(call.answer, value), OUT)
        finally:
            for path in [*IN.iterdir(), *(p for p in OUT.iterdir() if not p.name.startswith(STORE))]:
                path.unlink()
            os.environ.clear()
            os.environ.update(before)
