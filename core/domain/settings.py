"""What may be set by a variable, and how each is read: a server refuses to start with one that cannot be, and the doctor names it."""

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from core.domain.errors import Refused

PREFIX = "PORTOLAN_"
FAR = 1e9
"""More than any number of ours can mean."""


@dataclass(frozen=True)
class Setting:
    """One variable; ``wrong`` says what a value should be, or None when it is that."""

    name: str
    wrong: Callable[[str], str | None]


def text(value: str) -> str | None:
    """Take any text."""
    return None


def number(value: str) -> str | None:
    """Take a number above 0."""
    try:
        return None if 0 < float(value) < FAR else "a number above 0"
    except ValueError:
        return "a number, such as 20 or 0.5"


def whole(value: str) -> str | None:
    """Take a whole number from 1."""
    return None if value.isascii() and value.isdigit() and 0 < int(value) < FAR else "a whole number, such as 2048"


def count(value: str) -> str | None:
    """Take a whole number from 0."""
    return None if value.isascii() and value.isdigit() and int(value) < FAR else "a whole number, such as 20"


def flag(value: str) -> str | None:
    """Take 1 for yes and 0 for no."""
    return None if value in ("0", "1") else "1 or 0"


def port(value: str) -> str | None:
    """Take the number of a TCP port."""
    return None if whole(value) is None and int(value) < 1 << 16 else "a port from 1 to 65535, such as 8501"


def log(value: str) -> str | None:
    """Take a form of the log."""
    return None if value in ("json", "text") else "json or text"


def path(value: str) -> str | None:
    """Take a path of plain names."""
    return None if re.fullmatch(r"/?([A-Za-z0-9_~-][A-Za-z0-9._~-]*/?)+", value) else "a path such as /portolan"


SETTINGS = {
    f"{PREFIX}{name}": Setting(f"{PREFIX}{name}", wrong)
    for wrong, names in (
        (text, ("HOME", "ADDRESS", "HOSTS", "SCHEDULER", "BLOBS", "TLS_CA", "TLS_CERT", "TLS_KEY", "METRICS_TOKEN")),
        (text, ("CHROMIUM", "URL", "OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_SCOPE")),
        (text, ("ADMINISTRATORS", "MEMBERS", "VIEWERS", "ROLE", "ROLE_CLAIM")),
        (log, ("LOG",)),
        (number, ("QUOTA_GB", "SESSION_HOURS", "SHARE_DAYS", "RETENTION_DAYS")),
        (whole, ("MAX_UPLOAD_MB",)),
        (count, ("MAX_WAITING", "DAY_MINUTES", "DAY_GB", "VISITOR_GB", "VISITOR_UPLOADS", "VISITOR_PAGES")),
        (count, ("MAX_UPLOADS", "MAX_PAGES", "MAX_CONNECTIONS")),
        (flag, ("INSTALLS", "ANONYMOUS")),
        (port, ("PORT",)),
        (path, ("BASE_PATH",)),
    )
    for name in names
}
"""By name; a test holds the table to the names that stand in the program and in the README."""


def faults(environment: Mapping[str, str]) -> list[Refused]:
    """Return what is wrong with the values of known variables."""
    return [
        Refused(f"{name} is {value!r}, but must be {wrong}.", f"Correct {name}, or unset it.")
        for name, setting in SETTINGS.items()
        if (value := environment.get(name)) and (wrong := setting.wrong(value))
    ]


def strangers(environment: Mapping[str, str]) -> list[Refused]:
    """Return the variables with our prefix that mean nothing, each with the nearest that does."""
    found = []
    for name in sorted(set(environment) - set(SETTINGS)):
        if name.startswith(PREFIX):
            near = difflib.get_close_matches(name, SETTINGS, 1)
            meant = f"Did you mean {near[0]}?" if near else "The README lists all settings."
            found.append(Refused(f"{name} is set, but there is no such setting, so it does nothing.", meant))
    return found


def check() -> None:
    """Raise Refused for the first variable of this process that cannot be read."""
    for fault in faults(os.environ):
        raise fault
