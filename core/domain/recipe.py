"""Transforms in a row with their options: data that can be stored, sent and replayed."""

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

Option = bool | int | float | str
"""The value of one option of a transform."""


@dataclass(frozen=True)
class Step:
    """One transform by its id, with its options."""

    transform: str
    options: dict[str, Option] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """Steps in the order in which they run."""

    steps: tuple[Step, ...] = ()


def fingerprint(value: Any) -> str:
    """Return the SHA-256 of a JSON value in canonical form, so that equal work has an equal key."""
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
