"""A group of optional libraries that is installed on the owner's word."""

from dataclasses import dataclass


@dataclass(frozen=True)
class InstallRequest:
    """The group, and the job before it, so that this one is not taken for equal work."""

    group: str
    after: str | None = None


@dataclass(frozen=True)
class Installed:
    """The group that is there now."""

    group: str
    title: str
