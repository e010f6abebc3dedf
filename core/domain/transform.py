"""The arrow from an artifact to an artifact, and the bounds within which its answers must agree."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from core.domain.errors import Refused
from core.domain.recipe import Option
from core.domain.shelf import Entry

T = TypeVar("T")
UNBOUNDED = 1e30


@dataclass(frozen=True)
class Tolerance:
    """Largest difference that still counts as equal: ``|a - b| <= absolute + relative * |a|``; ``flips`` is the largest share of changed predictions."""

    absolute: float
    relative: float
    flips: float = 0.0

    @property
    def bounds(self) -> bool:
        """Whether numbers are held to it at all; a technique that changes them on purpose is judged by what it costs instead."""
        return self.absolute < UNBOUNDED


KINDS: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


@dataclass(frozen=True)
class OptionField:
    """One option as its form, its help and its validation need it."""

    name: str
    type: type
    default: Any
    help: str
    choices: tuple[Any, ...] | None = None
    low: float | None = None
    high: float | None = None

    def parse(self, value: Any) -> Any:
        """Turn text or JSON into the option's type within its bounds. Raises Refused in the user's words."""
        step = f"Give one of: {', '.join(map(str, self.choices))}." if self.choices else f"Give {KINDS[self.type]}."
        try:
            if self.type is bool:
                if str(value).lower() not in ("true", "false", "1", "0", "yes", "no"):
                    raise ValueError(value)
                parsed: Any = str(value).lower() in ("true", "1", "yes")
            else:
                parsed = self.type(value)
        except (TypeError, ValueError):
            raise Refused(f"{value!r} is not a value for the option {self.name}.", step) from None
        if self.choices is not None and parsed not in self.choices:
            raise Refused(f"{value!r} is not a choice for the option {self.name}.", step)
        if (self.low is not None and parsed < self.low) or (self.high is not None and parsed > self.high):
            raise Refused(f"{self.name} must lie between {self.low} and {self.high}, not {parsed}.", step)
        return parsed


@dataclass(frozen=True)
class NoOptions:
    """A transform without a choice."""


def option(
    default: T,
    help: str,
    *,
    choices: tuple[T, ...] | None = None,
    low: float | None = None,
    high: float | None = None,
) -> T:
    """Declare one option: a field of an options dataclass with its default, one sentence of help, and its choices or bounds."""
    return field(default=default, metadata={"help": help, "choices": choices, "low": low, "high": high})


def option_fields(options: type) -> tuple[OptionField, ...]:
    """Read the fields of an options dataclass, which ``option`` declares."""
    return tuple(
        OptionField(
            f.name,
            type(f.default) if f.default is not MISSING else str,
            f.default,
            f.metadata.get("help", ""),
            f.metadata.get("choices"),
            f.metadata.get("low"),
            f.metadata.get("high"),
        )
        for f in fields(options)
    )


def normal_options(options: type, given: dict[str, Option]) -> dict[str, Option]:
    """Return what differs from the defaults, each in its own type, so that equal choices are equal. Raises as ``parse_options`` does."""
    parsed = parse_options(options, given)
    return {f.name: getattr(parsed, f.name) for f in fields(options) if getattr(parsed, f.name) != f.default}


def parse_options(options: type, given: Mapping[str, Option]) -> Any:
    """Build an options dataclass from text or JSON. Raises Refused for a name or a value off the declaration."""
    declared = {f.name: f for f in option_fields(options)}
    for name in given:
        if name not in declared:
            known = ", ".join(declared) or "none"
            raise Refused(f"There is no option called {name!r}.", f"Options here: {known}.")
    return options(**{name: declared[name].parse(value) for name, value in given.items()})


RECORDED = "recorded.bin"
"""Where a converter that packs them finds the answers of the first source: beside its own source."""

CODE = "code.py"
"""Where a child finds the owner's Python file that defines the network to which a file of weights belongs: beside it."""


class Converter(Entry):
    """Writes a model in another format; runs in the sandboxed worker."""

    source: ClassVar[str]
    target: ClassVar[str]
    suffix: ClassVar[str]
    tolerance: ClassVar[Tolerance]
    Options: ClassVar[type] = NoOptions
    kind: ClassVar[str | None] = None
    """The warm child that the conversion runs in, where it is not the one that runs the source."""

    packs_answers: ClassVar[bool] = False
    """The result carries recorded answers of the source for a test of its own."""

    def convert(self, source: Path, out: Path, options: Any) -> None:
        """Read ``source`` and write ``out``. Raises Refused with the reason and the next step."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """Return the table row with the declared tolerance and options."""
        return {
            **super().to_json(),
            "source": self.source,
            "target": self.target,
            "tolerance": {"absolute": self.tolerance.absolute, "relative": self.tolerance.relative},
            "options": {f.name: {"default": f.default, "help": f.help} for f in option_fields(self.Options)},
        }
