"""The zip that is downloaded: the artifact, its card, a replay of the proof, a usage snippet, and pinned requirements."""

import json
import re
import zipfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from string import Template
from typing import IO, Any, cast

from core import pack
from core.blobs import Blob, Blobs
from core.bundle import javascript, scorer
from core.converters import CONVERTERS
from core.domain.runtime import Runtime
from core.formats import FORMATS
from core.formats.skops import TRUSTED
from core.runtimes import cannot_run, on_shelf

HERE = Path(__file__).parent
EPOCH = (1980, 1, 1, 0, 0, 0)
FIRST = """
The model is packed for download. Before anything else, run

  python unpack.py

which needs only Python and restores {member} from model.packed, byte for byte; verify.py does this by itself.
"""


@dataclass(frozen=True)
class Bundle:
    """The zip in the store: its SHA-256, its size in bytes, and the name under which it is downloaded."""

    sha256: str
    size: int
    name: str


def build(blobs: Blobs, conversion: dict[str, Any], packed: Blob | None = None) -> Bundle:
    """Write the zip of a conversion's result to the store, with the model ``packed`` where it is; equal facts give equal bytes."""
    artifact = conversion["artifact"]
    runtime = on_shelf(artifact["format"])
    member = "model" + FORMATS[artifact["format"]].suffixes[0]
    members: dict[str, str | Path] = {
        **carried(blobs, member, artifact, packed),
        "golden.npz": blobs.path(conversion["golden"]["sha256"]),
        "card.json": json.dumps(card(conversion, member), indent=2, sort_keys=True) + "\n",
        "verify.py": verification(runtime),
        "use.py": usage(conversion),
        "requirements.txt": "".join(f"{pinned(name)}\n" for name in runtime.packages) if runtime else "",
        "README.txt": Template((HERE / "readme.txt").read_text()).substitute(
            title=FORMATS[artifact["format"]].title,
            first=FIRST.format(member=member) if packed else "",
            member=member,
            verdict=conversion["parity"]["verdict"],
            check=checked(artifact["format"]),
        ),
    }
    members |= javascript.members(artifact["format"], member, conversion["summary"]["inputs"])
    members |= scorer.members(artifact["format"])
    members = {name: content for name, content in members.items() if content}
    with blobs.writer() as writer:
        with zipfile.ZipFile(cast(IO[bytes], writer), "w") as archive:
            for name, content in members.items():
                add(archive, name, content)
        blob = writer.commit()
    kind = "-packed" if packed else ""
    return Bundle(blob.sha256, blob.size, f"{safe_stem(artifact['name'])}-portolan{kind}.zip")


def carried(blobs: Blobs, member: str, artifact: dict[str, Any], packed: Blob | None) -> dict[str, str | Path]:
    """Return the model as deployed, or packed with the script that unpacks it."""
    if packed is None:
        return {member: blobs.path(artifact["sha256"])}
    return {"model.packed": blobs.path(packed.sha256), "unpack.py": pack.SCRIPT.read_text()}


def verification(runtime: Runtime | None) -> str:
    """Return the script that replays the proof with a runtime, or that checks the bytes alone where none is known."""
    replay = HERE / f"verify_{runtime.id}.txt" if runtime else HERE / "checksums.txt"
    if runtime is None or not replay.exists():
        return (HERE / "checksums.txt").read_text()
    return (HERE / "verify.txt").read_text().replace("# {open_model}\n", replay.read_text())


def checked(format: str) -> str:
    """Say what the script of a bundle can check about a file of this format."""
    runtime = on_shelf(format)
    if runtime is None or not (HERE / f"verify_{runtime.id}.txt").exists():
        return "compares checksums; no runtime is known for this format, so check the answers yourself"
    if cannot_run(format):
        return (
            "replays the recorded inputs (golden.npz) on a machine that can run the file, unlike the one that wrote it"
        )
    return "replays the recorded inputs (golden.npz) and compares the answers"


def pinned(package: str) -> str:
    """Return a requirement at the version that ran here, or the bare name of what is not installed here."""
    try:
        return f"{package}=={version(package)}"
    except PackageNotFoundError:
        return package


def add(archive: zipfile.ZipFile, name: str, content: str | Path) -> None:
    """Add a text or a stored file under a name of ours, in pieces and with a fixed date."""
    info = zipfile.ZipInfo(name, EPOCH)
    info.external_attr = 0o644 << 16
    if isinstance(content, str):
        info.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(info, content)
        return
    with content.open("rb") as source, archive.open(info, "w", force_zip64=True) as target:
        while chunk := source.read(1024 * 1024):
            target.write(chunk)


def card(conversion: dict[str, Any], member: str) -> dict[str, Any]:
    """Return lineage, recipe, evidence, versions and checksums of the bundle."""
    source, artifact = conversion["source"], conversion["artifact"]
    parity = conversion["parity"]
    return {
        "portolan": 1,
        "artifact": {"file": member, **{k: artifact[k] for k in ("format", "sha256", "size", "name")}},
        "golden": {"file": "golden.npz", "sha256": conversion["golden"]["sha256"]},
        "lineage": [
            {k: source[k] for k in ("name", "format", "sha256", "size")},
            *(
                {k: step[k] for k in ("name", "format", "sha256", "size", "transform", "options")}
                for step in conversion["steps"]
            ),
        ],
        "recipe": conversion["recipe"],
        "evidence": {"parity": parity, "quality": conversion["quality"], "size": conversion["size"]},
        "data": conversion["data"] and {k: conversion["data"][k] for k in ("sha256", "name")},
        "tolerance": parity["tolerance"],
        "versions": parity["versions"],
        "trusted": list(TRUSTED) if artifact["format"] == "skops" else None,
        "signature": {k: conversion["summary"][k] for k in ("inputs", "outputs")},
    }


def usage(conversion: dict[str, Any]) -> str:
    """Return a few lines of Python that run the artifact on an input of the right shape; empty where no runtime is known."""
    format = conversion["artifact"]["format"]
    runtime = on_shelf(format)
    names = [f"use_{name}.txt" for name in (format, runtime.id if runtime else "")]
    template = next((HERE / name for name in names if (HERE / name).exists()), None)
    if template is None:
        return ""
    member = "model" + FORMATS[format].suffixes[0]
    inputs = ",\n".join(f"    {spec['name']!r}: {example(spec)}" for spec in conversion["summary"]["inputs"])
    return Template(template.read_text()).substitute(member=member, inputs=inputs)


def example(spec: dict[str, Any]) -> str:
    """Return a NumPy expression for one row of an input; symbolic dimensions become 1."""
    shape = [dim if isinstance(dim, int) else 1 for dim in spec["shape"] or []]
    dtype = spec["dtype"] if re.fullmatch(r"(u?int|float)\d+|bool", spec["dtype"]) else None
    return f'np.zeros({shape}, dtype="{dtype}")' if dtype else f'np.full({shape}, "", dtype=object)'


def safe_stem(name: str) -> str:
    """Return the letters, digits, dots and dashes of a file's name without its suffix; ``model`` if none are left."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", PurePath(name).stem).strip(".-")[:80] or "model"


def targets() -> tuple[str, ...]:
    """Return the formats that a converter writes, in the order of the table; a bundle can carry each of them."""
    return tuple(dict.fromkeys(converter.target for converter in CONVERTERS))
