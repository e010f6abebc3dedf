"""Somebody who signed in, as the identity provider names them."""

from dataclasses import dataclass
from hashlib import sha256

PREFIX = "p"
"""What the id of a person begins with; that of an anonymous browser begins with another letter."""


@dataclass(frozen=True)
class Person:
    """Issuer and subject say who it is; the e-mail address is empty unless the provider verified it."""

    issuer: str
    subject: str
    name: str
    email: str = ""

    @property
    def id(self) -> str:
        """The visitor that owns the person's library, the same from every browser; it tells nothing about the person."""
        return PREFIX + sha256(f"{self.issuer}\0{self.subject}".encode()).hexdigest()[:32]
