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

    def __hash__(self) -> int:
        """Hash the options too, so that a step can be part of a key."""
        return hash((self.transform, *sorted(self.options.items())))


@dataclass(frozen=True)
class Recipe:
    """Steps in the order in which they run."""

    steps: tuple[Step, ...] = ()


def fingerprint(value: Any) -> str:
    """Return the SHA-256 of a JSON value in canonical form, so that equal work has an equal key."""
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
