"""Libraries that only some formats need: each group has a pinned requirements file, and says how it is installed.

A group lives in the environment that runs Portolan, or, where its pins conflict with ours, in a private one under the
user's data that the sandbox starts for its converters. A private one sees our libraries behind its own, so that torch
is there once.
"""

import importlib.util
import sys
import sysconfig
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from core.domain.home import default_home

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Group:
    """A set of optional libraries: its size on disk in MB as measured, the modules that prove it, a program that it brings."""

    id: str
    title: str
    megabytes: int
    modules: tuple[str, ...]
    program: str | None = None
    """A file in a package that the jailed child may have run."""

    @property
    def requirements(self) -> Path:
        """The pinned file of ours that pip is given."""
        return ROOT / f"requirements-{self.id}.txt"

    @property
    def python(self) -> Path:
        """The interpreter whose child has the group."""
        return Path(sys.executable)

    @property
    def command(self) -> str:
        """The one command that installs the group."""
        return f".venv/bin/python -m pip install -r {self.requirements.name}"

    def installed(self) -> bool:
        """Say whether its modules are there, without importing them."""
        return all(importlib.util.find_spec(name) is not None for name in self.modules)

    def unavailable(self) -> str | None:
        """Return why what needs the group cannot run here with the command that helps, or None when it can."""
        if self.program and sys.platform != "linux":
            return f"{self.title} includes a program, which can be isolated only on Linux."
        if self.installed():
            return None
        return f"{self.title} is not installed ({self.megabytes:,} MB): {self.command}"

    def to_json(self) -> dict[str, Any]:
        """Return the row that the command line lists."""
        reason = self.unavailable()
        row = {"id": self.id, "title": self.title, "megabytes": self.megabytes, "command": self.command}
        return {**row, "available": reason is None, "reason": reason}

    def program_path(self) -> Path | None:
        """Return where its program lies, or None when it has none or is not installed."""
        package, _, rest = (self.program or "").partition("/")
        found = importlib.util.find_spec(package) if package else None
        places = list(found.submodule_search_locations or ()) if found else []
        return Path(places[0]) / rest if places else None


@dataclass(frozen=True)
class Private(Group):
    """A group in an environment of its own, because its pins conflict with ours."""

    @property
    def folder(self) -> Path:
        """Where the environment lies."""
        return default_home() / "environments" / self.id

    @property
    def ready(self) -> Path:
        """The file that says for which pins and which interpreter the environment was made."""
        return self.folder / "ready"

    @property
    def stamp(self) -> str:
        """What the ready file must hold: another pin, interpreter or place of ours makes the environment a stranger."""
        parts = (sys.version, sysconfig.get_paths()["purelib"], self.requirements.read_text())
        return sha256("\0".join(parts).encode()).hexdigest()

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.folder / "bin" / "python"

    @property
    def command(self) -> str:
        """The one command that makes the environment."""
        return f".venv/bin/python -m core install {self.id}"

    def installed(self) -> bool:
        """Say whether the environment is whole and made for these pins."""
        return self.ready.is_file() and self.ready.read_text() == self.stamp


GROUPS: dict[str, Group] = {
    group.id: group
    for group in (
        Group("ncnn", "ncnn with pnnx", 114, ("ncnn", "pnnx"), program="pnnx/pnnx"),
        Group("coreml", "Core ML Tools", 31, ("coremltools",)),
        Group("executorch", "ExecuTorch", 237, ("executorch",), program="executorch/data/bin/flatc"),
        Group("tensorflow", "TensorFlow", 1380, ("tensorflow",)),
        Group("catboost", "CatBoost", 360, ("catboost",)),
        Group("timm", "timm", 90, ("timm", "torchvision")),
        Group("dask", "Dask", 37, ("distributed", "fsspec")),
        Group("s3", "S3", 54, ("s3fs",)),
        Private("litert", "LiteRT Torch", 918, ("litert_torch",)),
    )
}


def python_for(kind: str) -> Path:
    """Return the interpreter that a child of this kind runs on; a kind that is named after a group has the group's."""
    return GROUPS[kind].python if kind in GROUPS else Path(sys.executable)


def program_for(kind: str) -> Path | None:
    """Return the one program that a child of this kind may have run, or None."""
    return GROUPS[kind].program_path() if kind in GROUPS else None
