"""Every check of the doctor, in the order in which it is made."""

import stat
from collections.abc import Iterator
from pathlib import Path

from core.domain import settings
from core.doors.doctor import Check, Complaint, Place, Tell, fault, home, machine, network, told


def variables(place: Place, tell: Tell) -> Iterator[Complaint]:
    """Every variable of ours is known, and reads as what it should be."""
    yield from map(told, settings.faults(place.environment))
    yield from map(told, settings.strangers(place.environment))


def secrets(place: Place, tell: Tell) -> Iterator[Complaint]:
    """Only their owner reads Streamlit's secrets."""
    for folder in (place.root, Path.home()):
        file = folder / ".streamlit" / "secrets.toml"
        if file.exists() and file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield fault(f"Other users of this machine may read {file}.", f"Run: chmod go= {file}")


CHECKS: dict[str, Check] = {
    "settings": variables,
    "secrets": secrets,
    "home": home.writable,
    "disk": home.room,
    "database": home.database,
    "clock": home.clock,
    "port": network.port,
    "hosts": network.hosts,
    "certificates": network.certificates,
    "scheduler": network.scheduler,
    "packages": machine.packages,
    "programs": machine.programs,
    "sandbox": machine.sandbox,
    "bucket": home.bucket,
    "files": home.blobs,
}
