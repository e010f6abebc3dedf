"""One kind of model file: recognised by content, audited against allow-lists, then read; loading is somebody else's work."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from core.domain.artifact import Signature, TensorSpec
from core.domain.codec import Json
from core.domain.errors import Refused
from core.domain.shelf import Entry


@dataclass(frozen=True)
class Risk:
    """One finding of an audit: ``info``, ``warning``, ``consent`` (the owner must agree first) or ``refuse``; what it is, where, and what to do."""

    level: str
    what: str
    where: str = ""
    next_step: str = ""


@dataclass(frozen=True)
class Layer:
    """One named weight tensor: shape, dtype and number of elements."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Tensor(Layer):
    """One tensor that a file stores; ``load`` reads its numbers while it is the latest that the file has yielded."""

    load: Callable[[], Any]
    """Returns a NumPy array of the shape, or None for an element type that NumPy does not hold."""


@dataclass(frozen=True)
class Summary:
    """What a file says without being run; what its format cannot know is None."""

    INLINE: ClassVar = ("signature",)

    format: str
    signature: Signature = field(default_factory=Signature)
    parameters: int | None = None
    operators: dict[str, int] | None = None
    precision: str | None = None
    sparsity: float | None = None
    producer: str | None = None
    opset: int | None = None
    dependencies: tuple[str, ...] = ()
    risks: tuple[Risk, ...] = ()
    layers: tuple[Layer, ...] = ()
    notes: dict[str, Json] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs of the signature."""
        return self.signature.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs of the signature."""
        return self.signature.outputs


class Surroundings(StrEnum):
    """Where the files of a format are run, in the words of somebody who has to choose one."""

    SERVER = "Server or desktop"
    BROWSER = "Browser"
    DEVICE = "Phone or device"
    PYTHON = "Python"
    CODE = "Database or plain code"


class Format(Entry):
    """Recognises, audits and reads one kind of file. Every call after ``match`` runs in the sandboxed worker."""

    suffixes: ClassVar[tuple[str, ...]]
    runs_in: ClassVar[Surroundings] = Surroundings.SERVER
    code_bearing: ClassVar[bool] = False
    """Loading the file can run code from it: refused where the jail is not full, and jailed always."""
    lists_tensors: ClassVar[bool] = False
    """``tensors`` yields what the file stores."""
    lists_operators: ClassVar[bool] = False
    """``as_onnx`` gives what the file holds as one ONNX model."""

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether this is the file's kind, from its first 64 KiB, its zip members' names (empty when it is no zip), and its own name."""
        raise NotImplementedError

    def audit(self, path: Path) -> tuple[Risk, ...]:
        """Return the findings of the check; what it raises as Refused becomes a ``refuse`` finding, which ends the story."""
        found: list[Risk] = []
        try:
            found.extend(self.check(path))
        except Refused as error:
            found.append(Risk("refuse", error.message, next_step=error.next_step))
        except RecursionError:
            found.append(Risk("refuse", "The file is nested more deeply than any model."))
        except MemoryError:
            found.append(Risk("refuse", "The check of this file needs more memory than a file of its size should."))
        return tuple(found)

    def check(self, path: Path) -> Iterable[Risk]:
        """Check the file against the format's allow-lists without building anything. Raises Refused with the reason."""
        raise NotImplementedError

    def inspect(self, path: Path) -> Summary:
        """Read what the file says about itself; called only after a clean audit. Raises Refused with the reason."""
        raise NotImplementedError

    def graph(self, path: Path, out: Path) -> bool:
        """Write the graph without its weights to ``out`` for the viewer, and say whether there is one."""
        return False

    def as_onnx(self, path: Path) -> AbstractContextManager[Path]:
        """Return where the same operators and weights lie as an ONNX model for as long as they are read. Raises Refused when there is none."""
        raise NotImplementedError

    def tensors(self, path: Path) -> Iterator[Tensor]:
        """Yield the stored tensors one by one, without running anything; called only after a clean audit."""
        raise NotImplementedError
