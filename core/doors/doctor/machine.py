"""The machine: do the walls hold, are the packages those that were tested, and which programs are missing."""

import importlib.metadata
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from core.doors.doctor import Complaint, Place, Tell, fault, note
from core.sandbox import Sandbox

PIN = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.!]+)")
PROGRAMS = {
    ("gcc", "cc", "clang"): "a C compiler: C source can be written here, and not be compiled",
    ("java",): "Java: PMML can be written here, and not be checked with Java's own readers",
    ("node",): "Node: web packages can be written here, and not be tried outside a browser",
}


def sandbox(place: Place, tell: Tell) -> Iterator[Complaint]:
    """A real child tries to break out, as at each start of the server."""
    with tempfile.TemporaryDirectory(prefix="portolan-doctor-") as folder:
        box = Sandbox(Path(folder, "scratch"), place.worker)
        try:
            found = box.isolation
        finally:
            box.close()
    if not found.full:
        yield fault(
            f"Isolation is limits only, so formats that can carry code are refused: {found.detail}.",
            "Use Linux 6.2 or newer with Landlock and seccomp, and a container that allows both.",
        )


def packages(place: Place, tell: Tell) -> Iterator[Complaint]:
    """What is installed is what requirements.txt names."""
    for name, wanted in PIN.findall((place.root / "requirements.txt").read_text()):
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found = "not installed"
        if found.partition("+")[0] != wanted:
            yield fault(
                f"The package {name} is {found}, and this Portolan was tested with {wanted}.",
                "Run: .venv/bin/python -m pip install -r requirements.txt",
            )


def programs(place: Place, tell: Tell) -> Iterator[Complaint]:
    """Programs that results may be tried with on this machine; no page needs them."""
    for names, what in PROGRAMS.items():
        if not any(shutil.which(name, path=place.environment.get("PATH")) for name in names):
            yield note(f"This machine lacks {what}.", f"Install {names[0]} if you need that.")
