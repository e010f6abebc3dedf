"""An engine that runs a format on arrays; loaded and used only in the sandboxed worker."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from core.domain.artifact import Signature
from core.domain.landmarks import Landmarks
from core.domain.operators import Spent
from core.domain.recipe import Option
from core.domain.shelf import Entry


@dataclass(frozen=True)
class Domain:
    """The values that one input takes: ``normal`` around mean with a spread, ``ids`` from low below a bound, or a ``choice`` of categories."""

    kind: str = "normal"
    mean: float | tuple[float, ...] = 0.0
    spread: float | tuple[float, ...] = 1.0
    bound: int = 0
    low: int = 0
    values: tuple[Any, ...] = ()


UNKNOWN_INTEGER = Domain("ids", bound=2)
"""Whole numbers that look nothing up are masks and switches more often than anything else."""


class Session:
    """A loaded model: its signature, the domains of its inputs, and one call from named arrays to named arrays."""

    signature: Signature
    domains: dict[str, Domain]
    columns: tuple[str, ...] = ()
    """The names of the columns of the one table that the model takes, in order; empty where the file names none."""

    guessed: bool = False
    """Whether the shapes of the inputs are a guess from the layers; what the owner or the data says of them is better."""

    secondhand: str = ""
    """Why the answers are another engine's reading of the file and not its own, so that they prove nothing; empty when they are its own."""

    undecided: str = ""
    """Why the model's own answers are not decided by its inputs everywhere, in a sentence; empty where that is not known."""

    landmarks: Landmarks = Landmarks()
    """Where the engine's own form of the model tells that it changes its behaviour, beside what ``Runtime.landmarks`` reads."""

    reading: str = ""
    """Whose reading of the file the answers are, in a sentence, where converters from the format share it; empty where the engine is somebody else's."""

    metadata: Mapping[str, str] = MappingProxyType({})
    """What its author wrote into the file, such as the alphabet of a network that reads; empty where the engine does not tell."""

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Map input names to NumPy arrays, and return output names with NumPy arrays, in order."""
        raise NotImplementedError

    def steps(self) -> list[tuple[str, Callable[[Any], Any]]]:
        """Return what ``run`` does in a row of named steps, where the model is a pipeline: the first takes the inputs, each other what the one before gave, and the last gives the outputs."""
        return []

    def spent(self, inputs: dict[str, Any], trace: Path) -> list[Spent]:
        """Run once as ``run`` does, and return where the engine's own clock saw the time go; events in Chrome's form go to ``trace`` where it has some."""
        raise NotImplementedError


class Runtime(Entry):
    """Opens files of the formats that it lists."""

    formats: ClassVar[tuple[str, ...]]
    packages: ClassVar[tuple[str, ...]]
    """The distributions that a person installs to run such a file; a bundle pins them."""

    secondhand: ClassVar[str] = ""
    """The same of all files that the engine opens: it stands in for one that is missing here."""

    kind: ClassVar[str]
    """The warm child that has the engine loaded: light, torch or sklearn."""

    without_vnni: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """The environment in which the engine computes as on an x86 processor without VNNI; empty where it has no such switch."""

    traces: ClassVar[bool] = False
    """Whether sessions of ``open_traced`` tell the time of each operator."""

    def open_traced(self, path: Path, format: str, given: dict[str, Option]) -> Session:
        """Load the file so that its session can tell where time goes."""
        return self.open_with(path, format, given)

    def open(self, path: Path, format: str) -> Session:
        """Load the file for running on the CPU. Raises Refused with the reason."""
        raise NotImplementedError

    def open_with(self, path: Path, format: str, given: dict[str, Option]) -> Session:
        """Load a file that needs more than its bytes, such as the name of an architecture; most need nothing."""
        return self.open(path, format)

    def open_exact(self, path: Path, format: str, given: dict[str, Option]) -> Session:
        """Load the file so that no sum of integers saturates on any processor, where the engine has a switch for that."""
        return self.open_with(path, format, given)

    def in_float64(self, path: Path, format: str) -> Session | None:
        """Load a model of float32 so that it computes in float64, or return None where that cannot be had. Raises Refused with the reason."""
        return None

    def landmarks(self, path: Path, format: str) -> Landmarks:
        """Return where the model changes its behaviour, as far as the file tells; most files do not."""
        return Landmarks()

    def opener(self, path: Path, format: str, given: dict[str, Option]) -> Callable[[], Session]:
        """Return the call that loads the file, to be made as often as a measurement needs.

        What is learned from the file for our probes alone is learned before, so that time and memory of the call are the
        engine's own.
        """
        return lambda: self.open_with(path, format, given)

    def opener_on(
        self, path: Path, format: str, given: dict[str, Option], threads: int
    ) -> Callable[[], Session] | None:
        """Return what ``opener`` does with so many threads, or None where the engine has no setting for them here."""
        return self.opener(path, format, given) if threads == 1 else None

    def to_json(self) -> dict[str, Any]:
        """Return the table row with the formats that the engine runs."""
        return {**super().to_json(), "formats": list(self.formats)}
