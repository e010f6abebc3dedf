"""From what a check raises or yields to the findings of an audit."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from core.domain.errors import Refused
from core.domain.format import Risk

JsonObject = dict[str, Any]
"""An object in the JSON of a file, in which nothing is checked yet."""


def gathered(check: Callable[[], Iterable[Risk]]) -> tuple[Risk, ...]:
    """Run a check and return its findings; what it raises as Refused becomes a ``refuse`` finding with its next step."""
    found: list[Risk] = []
    try:
        found.extend(check())
    except Refused as error:
        found.append(Risk("refuse", error.message, next_step=error.next_step))
    except RecursionError:
        found.append(refusal("The file is nested more deeply than any model."))
    except MemoryError:
        found.append(refusal("The check of this file needs more memory than a file of its size should."))
    return tuple(found)


def refusal(what: str, where: str = "") -> Risk:
    """Return a finding that ends the story."""
    return Risk("refuse", what, where)


def warning(what: str, where: str = "") -> Risk:
    """Return a finding that the owner should know."""
    return Risk("warning", what, where)


def info(what: str, where: str = "") -> Risk:
    """Return a finding that explains."""
    return Risk("info", what, where)


def parse_json(data: bytes, name: str) -> Any:
    """Parse JSON of a file. Raises Refused when it is not JSON, or nested too deep."""
    try:
        return json.loads(data)
    except RecursionError:
        raise Refused(f"{name} is nested more deeply than any model.", "Export the model again.") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise Refused(f"{name} is not readable ({str(error)[:80]}).", "Export the model again.") from None
