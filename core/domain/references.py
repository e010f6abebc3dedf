"""Which stored files a value names: the fields that are declared to hold the SHA-256 of a blob, and no text that merely reads like one.

What a file says of itself may hold 64 hexadecimal letters too; they name nothing.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

Sha256 = Annotated[str, "the SHA-256 of a stored blob"]
"""The type of a field that names a blob."""

NAME = re.compile(r"[0-9a-f]{64}")


def references(value: object) -> list[str]:
    """Return the SHA-256s that a declared value names, each once; of plain JSON, which declares nothing, every text that is one."""
    return [one for one in dict.fromkeys(_named(value, None)) if NAME.fullmatch(one)]


def names_blobs(kind: Any) -> bool:
    """Say whether a declared type has a field, however deep, that names a blob."""
    return _names(kind, set())


def _named(value: object, hint: Any) -> Iterator[str]:
    if isinstance(value, str):
        if hint is None or _is_reference(hint):
            yield value
    elif is_dataclass(value) and not isinstance(value, type):
        for name, own in _hints(type(value)).items():
            yield from _named(getattr(value, name), own)
    elif isinstance(value, Mapping | list | tuple):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _named(part, hint)


def _is_reference(hint: Any) -> bool:
    """Say whether a text of this declared type, or inside it, names a blob."""
    return hint == Sha256 or any(map(_is_reference, get_args(hint)))


def _names(kind: Any, seen: set[Any]) -> bool:
    if is_dataclass(kind) and isinstance(kind, type):
        if kind in seen:
            return False
        seen.add(kind)
        return any(_names(own, seen) for own in _hints(kind).values())
    return kind == Sha256 or any(_names(part, seen) for part in get_args(kind) if get_origin(kind) is not None)


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}
