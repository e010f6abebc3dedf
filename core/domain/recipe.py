"""Transforms in a row with their options: data that can be stored, sent and replayed."""

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Self


@dataclass(frozen=True)
class Step:
    """One transform by its id, with its options."""

    transform: str
    options: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return id and options as a plain dict."""
        return {"transform": self.transform, "options": dict(self.options)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a step; the id is looked up in a table later, never imported."""
        return cls(str(value["transform"]), dict(value.get("options", {})))


@dataclass(frozen=True)
class Recipe:
    """Steps in the order in which they run."""

    steps: tuple[Step, ...] = ()

    def to_json(self) -> list[dict[str, Any]]:
        """Return the steps as plain dicts."""
        return [step.to_json() for step in self.steps]

    @classmethod
    def from_json(cls, value: list[dict[str, Any]]) -> Self:
        """Rebuild a recipe from ``to_json``."""
        return cls(tuple(Step.from_json(step) for step in value))


def fingerprint(value: Any) -> str:
    """Return the SHA-256 of a JSON value in canonical form, so that equal work has an equal key."""
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
