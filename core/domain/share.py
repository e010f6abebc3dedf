"""A page that its owner shows to whoever has the link."""

from dataclasses import dataclass

from core.domain.references import Sha256


@dataclass(frozen=True)
class Share:
    """One report under an unguessable name: its stored page, when it was made and until when it is shown, in seconds since 1970."""

    id: str
    artifact: str
    sha256: Sha256
    title: str
    created: float
    expires: float | None = None
