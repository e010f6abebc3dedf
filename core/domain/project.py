"""What several people share: a library of its own, its members, and what they did there."""

from dataclasses import dataclass

from core.domain.person import Role

PREFIX = "g"
"""What the id of a project begins with, which owns rows as a person's does."""


@dataclass(frozen=True)
class Project:
    """One project, and the role of the person who asks; created in seconds since 1970."""

    id: str
    name: str
    created: float
    role: Role


@dataclass(frozen=True)
class Member:
    """One person in a project."""

    person: str
    name: str
    email: str
    role: Role


@dataclass(frozen=True)
class Deed:
    """What somebody did in a project, in words; at in seconds since 1970."""

    at: float
    who: str
    text: str
