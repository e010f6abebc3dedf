"""C on its owner's machine: the sandbox starts no compiler, so nothing is run here and the verdict says so."""

from pathlib import Path

from core.domain.errors import Refused
from core.domain.runtime import Runtime, Session


class CSourceRuntime(Runtime):
    """Never opens a file; the bundle's verify.py compiles it with cc and replays the recorded inputs."""

    title = "A C compiler"
    sentence = "Compiles generated C on your own machine: verify.py in the bundle compiles it and replays the proof."
    formats = ("c_source",)
    packages = ("numpy",)
    kind = "light"

    def unavailable(self) -> str | None:
        """Return why C is never run in the sandbox."""
        return "the sandbox does not start a compiler; verify.py in the bundle compiles the file with cc and replays the proof."

    def open(self, path: Path, format: str) -> Session:
        """Refuse: see ``unavailable``."""
        raise Refused(
            "C source is not run in the sandbox.",
            "Run verify.py from the bundle: it compiles the file and replays the proof.",
        )


RUNTIME = CSourceRuntime()
