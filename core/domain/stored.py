"""Values as the store keeps them: JSON text that carries the version of its shape, read by their declarations.

Version 1, which carries no number, is what Portolan wrote before its requests and results were declared.
"""

import json
from functools import lru_cache
from typing import Any, TypeVar, cast

from core.domain.codec import Malformed, decode, encode

T = TypeVar("T")
VERSION = 2
REMEMBERED = 256
"""Texts whose values are kept, so that a page that runs again does not read its jobs again."""


def write(value: object) -> str:
    """Return a value as text; equal values are equal text."""
    return json.dumps({"version": VERSION, **encode(value)}, sort_keys=True, ensure_ascii=False)


def read(kind: type[T], text: str) -> T:
    """Return the value of a text. Raises Malformed for one that is off the declaration, or of a newer Portolan."""
    value: T = _read(cast(Any, kind), text)
    return value


@lru_cache(maxsize=REMEMBERED)
def _read(kind: Any, text: str) -> Any:
    value = json.loads(text)
    if value.pop("version", 1) > VERSION:
        raise Malformed("a newer Portolan wrote this")
    return decode(kind, value)
