"""The shelf of runtimes: one engine a file, opened only in the sandboxed worker.

A session tells the shapes and the kinds of value that a model takes, so that probes fit it, and turns named arrays
into named arrays. What an engine calls its own (tensor types, maps, frames) ends at the session.
"""

from core.domain.errors import Refused
from core.domain.runtime import Runtime
from core.domain.shelf import Shelf
from core.runtimes import onnxruntime, sklearn, torch

RUNTIMES: Shelf[Runtime] = Shelf("runtime", onnxruntime.RUNTIME, torch.RUNTIME, sklearn.RUNTIME)


def runtime_for(format: str) -> Runtime:
    """Return the runtime that opens a format. Raises Refused when there is none."""
    for runtime in RUNTIMES:
        if format in runtime.formats:
            return runtime
    known = ", ".join(name for runtime in RUNTIMES for name in runtime.formats)
    raise Refused(f"Nothing here runs a file of the format {format!r}.", f"Formats that can run: {known}.")
