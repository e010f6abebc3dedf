"""The findings of a check, and JSON of a file that it reads."""

import json
from typing import Any

from core.domain.errors import Refused, first_line
from core.domain.format import Risk

JsonObject = dict[str, Any]
"""An object in the JSON of a file, in which nothing is checked yet."""


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
        raise Refused(f"{name} is not readable ({first_line(error)[:80]}).", "Export the model again.") from None
