"""What a verb works with: blobs to read and write, a sandbox to open models in, a way to tell progress, a way to stop."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from core.blobs import Blobs
from core.sandbox import Sandbox


@dataclass(frozen=True)
class Tools:
    """The four things that a verb is given; ``progress`` takes a fraction (or None) and a sentence."""

    blobs: Blobs
    sandbox: Sandbox
    progress: Callable[[float | None, str], None]
    cancel: threading.Event
