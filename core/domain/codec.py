"""Values to JSON and back by their own declarations: the one codec of every seam.

``encode`` writes frozen dataclasses, enumerations, tuples and mappings as plain values; ``decode`` reads them back and
refuses what is off the declaration: an unknown or missing field, a number where a text belongs. JSON has no infinity, so
floats that are not finite are the texts ``inf``, ``-inf`` and ``nan``. A class may name in ``DERIVED`` the properties
that are written for whoever reads the JSON and worked out anew when it comes back, and in ``INLINE`` the fields whose
own fields stand beside the others.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from cattrs import BaseConverter, Converter, transform_error
from cattrs.cols import homogenous_tuple_structure_factory
from cattrs.errors import BaseValidationError
from cattrs.gen import make_dict_structure_fn

T = TypeVar("T")
Json = Union[None, bool, int, float, str, list["Json"], dict[str, "Json"]]  # noqa: UP007  (a name in a string needs it)
"""What ``json`` reads and writes."""

HALF = re.compile("[\ud800-\udfff]")
ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")
PLAIN = (bool, int, float, str, type(None))


class Malformed(ValueError):
    """A value is not what its declaration says; the message names the place."""


def parse(text: bytes | str) -> Any:
    """Return the JSON value of a stranger's text, in which halves of UTF-16 pairs and bytes that are no UTF-8 become U+FFFD.

    SQLite and every file of ours hold UTF-8, which has no place for a lone half. Raises ValueError, RecursionError.
    """
    told = text.decode(errors="replace") if isinstance(text, bytes) else text
    value = json.loads(told)
    return storable(value) if ESCAPED_HALF.search(told) or HALF.search(told) else value


def storable(value: Any) -> Any:
    """Return a plain value whose texts can be written as UTF-8."""
    if isinstance(value, str):
        return HALF.sub("\ufffd", value)
    if isinstance(value, dict):
        return {storable(key): storable(part) for key, part in value.items()}
    return [storable(part) for part in value] if isinstance(value, list) else value


def encode(value: object) -> Any:
    """Return a declared value as what ``json.dumps`` takes."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int | float | None):
        return value
    if isinstance(value, Mapping):
        return {str(key): encode(part) for key, part in value.items()}
    if isinstance(value, list | tuple | frozenset):
        return [encode(part) for part in value]
    return _fields(value)


def decode(kind: type[T], value: object) -> T:
    """Return a value of a declared type. Raises Malformed for anything that is off the declaration."""
    try:
        return _converter.structure(value, kind)
    except (BaseValidationError, ValueError, TypeError, KeyError) as error:
        raise Malformed("; ".join(transform_error(error))[:300]) from error


def prepare(kind: type[Any]) -> None:
    """Build the reader of a declared type now, which else its first ``decode`` waits for."""
    _converter.get_structure_hook(kind)


def _fields(value: Any) -> dict[str, Any]:
    kind = type(value)
    found = {field.name: encode(getattr(value, field.name)) for field in fields(kind)}
    for name in getattr(kind, "INLINE", ()):
        found |= found.pop(name)
    return found | {name: encode(getattr(value, name)) for name in getattr(kind, "DERIVED", ())}


def _reader(kind: type[Any]) -> Callable[[Any, type], Any]:
    read = make_dict_structure_fn(kind, _converter, _cattrs_forbid_extra_keys=True)
    derived, hints = getattr(kind, "DERIVED", ()), get_type_hints(kind)
    inline = {name: _written(hints[name]) for name in getattr(kind, "INLINE", ())}

    def structure(value: Any, _: type) -> Any:
        if not isinstance(value, Mapping):
            raise TypeError(f"expected the fields of {kind.__name__}")
        known = {key: part for key, part in value.items() if key not in derived}
        for name, own in inline.items():
            known[name] = {key: known.pop(key) for key in own & known.keys()}
        return read(known, kind)

    return structure


def _written(kind: type[Any]) -> set[str]:
    return {field.name for field in fields(kind)} | set(getattr(kind, "DERIVED", ()))


def _exactly(value: Any, kind: type[Any]) -> Any:
    if issubclass(kind, Enum):
        return kind(value)
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, not {type(value).__name__}")
    return value


def _sequence(kind: Any, converter: BaseConverter) -> Callable[[Any, Any], Any]:
    read = homogenous_tuple_structure_factory(kind, converter)

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise TypeError(f"expected a list, not {type(value).__name__}")
        return read(value, kind)

    return structure


def _number(value: Any, _: type) -> float:
    if isinstance(value, str) and value in ("inf", "-inf", "nan"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, not {type(value).__name__}")
    return float(value)


def _json(value: Any, _: Any) -> Any:
    if isinstance(value, dict):
        return {_text(key): _json(part, None) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_json(part, None) for part in value]
    if type(value) not in PLAIN:
        raise TypeError(f"expected a plain value, not {type(value).__name__}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("expected a text as key")
    return value


def _one_of(value: Any, kind: Any) -> Any:
    if type(value) not in get_args(kind):
        raise TypeError(f"expected a plain value, not {type(value).__name__}")
    return value


def _is_row(kind: Any) -> bool:
    return get_origin(kind) is tuple and get_args(kind)[-1] is Ellipsis


def _is_plain_union(kind: Any) -> bool:
    parts = get_args(kind)
    return get_origin(kind) in (Union, UnionType) and set(parts) <= set(PLAIN) and len(set(parts) - {type(None)}) > 1


_converter = Converter(forbid_extra_keys=True)
_converter.register_structure_hook_factory(is_dataclass, _reader)
_converter.register_structure_hook_factory(_is_row, _sequence)
for _kind in (bool, int, str):
    _converter.register_structure_hook(_kind, _exactly)
_converter.register_structure_hook(float, _number)
_converter.register_structure_hook_func(_is_plain_union, _one_of)
_converter.register_structure_hook_func(lambda kind: kind == Json, _json)
