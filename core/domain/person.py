"""Somebody who signed in, as the identity provider names them."""

from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

PREFIX = "p"
"""What the id of a person begins with; that of an anonymous browser begins with another letter."""


class Role(StrEnum):
    """What somebody may do, on a server and in a project: look; bring, start and delete; and govern who is there."""

    VIEWER = "viewer"
    MEMBER = "member"
    ADMINISTRATOR = "administrator"

    def allows(self, needed: "Role") -> bool:
        """Say whether this role includes another."""
        return _ORDER.index(self) >= _ORDER.index(needed)


_ORDER = (Role.VIEWER, Role.MEMBER, Role.ADMINISTRATOR)


@dataclass(frozen=True)
class Person:
    """Issuer and subject say who it is; the e-mail address is empty unless the provider verified it."""

    issuer: str
    subject: str
    name: str
    email: str = ""
    role: Role = Role.MEMBER

    @property
    def id(self) -> str:
        """The visitor that owns the person's library, the same from every browser; it tells nothing about the person."""
        return PREFIX + sha256(f"{self.issuer}\0{self.subject}".encode()).hexdigest()[:32]
