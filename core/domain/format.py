"""One kind of model file: recognised by content, audited against allow-lists, then read; loading is somebody else's work."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from core.domain.artifact import Signature
from core.domain.shelf import Entry


@dataclass(frozen=True)
class Risk:
    """One finding of an audit: ``info``, ``warning``, ``consent`` (the owner must agree first) or ``refuse``; what it is, where, and what to do."""

    level: str
    what: str
    where: str = ""
    next_step: str = ""

    def to_json(self) -> dict[str, str]:
        """Return level, what and where; a file that is refused has no summary to carry its next step."""
        return {"level": self.level, "what": self.what, "where": self.where}

    @classmethod
    def from_json(cls, value: dict[str, str]) -> Self:
        """Rebuild a risk from ``to_json``."""
        return cls(value["level"], value["what"], value.get("where", ""))


@dataclass(frozen=True)
class Layer:
    """One named weight tensor: shape, dtype and number of elements."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a plain dict."""
        return {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}


@dataclass(frozen=True)
class Summary:
    """What a file says without being run; what its format cannot know is None."""

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
    notes: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the summary in the shape that ``inspect --json`` prints (size and sha256 are the artifact's)."""
        return {
            "format": self.format,
            "parameters": self.parameters,
            **self.signature.to_json(),
            "precision": self.precision,
            "sparsity": self.sparsity,
            "operators": self.operators,
            "producer": self.producer,
            "opset": self.opset,
            "dependencies": list(self.dependencies),
            "risks": [risk.to_json() for risk in self.risks],
            "layers": [layer.to_json() for layer in self.layers],
            "notes": self.notes,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a summary from ``to_json``."""
        return cls(
            format=value["format"],
            signature=Signature.from_json(value),
            parameters=value["parameters"],
            operators=value["operators"],
            precision=value["precision"],
            sparsity=value["sparsity"],
            producer=value["producer"],
            opset=value["opset"],
            dependencies=tuple(value["dependencies"]),
            risks=tuple(Risk.from_json(risk) for risk in value["risks"]),
            layers=tuple(Layer(x["name"], x["dtype"], tuple(x["shape"])) for x in value["layers"]),
            notes=value["notes"],
        )


class Format(Entry):
    """Recognises, audits and reads one kind of file. Every call after ``match`` runs in the sandboxed worker."""

    suffixes: ClassVar[tuple[str, ...]]
    code_bearing: ClassVar[bool] = False
    """Loading the file can run code from it: refused where the jail is not full, and jailed always."""

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether this is the file's kind, from its first 64 KiB, its zip members' names (empty when it is no zip), and its own name."""
        raise NotImplementedError

    def audit(self, path: Path) -> tuple[Risk, ...]:
        """Check the file against the format's allow-lists without building anything; a ``refuse`` risk ends the story."""
        raise NotImplementedError

    def inspect(self, path: Path) -> Summary:
        """Read what the file says about itself; called only after a clean audit. Raises Refused with the reason."""
        raise NotImplementedError

    def graph(self, path: Path, out: Path) -> bool:
        """Write the graph without its weights to ``out`` for the viewer, and say whether there is one."""
        return False
