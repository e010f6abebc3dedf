"""The zip that is downloaded: the artifact, its card, a replay of the proof, a usage snippet, and pinned requirements."""

import json
import re
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from string import Template
from typing import IO, Any, cast

from core.answers.bundle import javascript, scorer
from core.border import archives
from core.converters import CONVERTERS
from core.domain.artifact import TensorSpec
from core.domain.codec import encode
from core.domain.compression import Compression
from core.domain.conversion import Conversion
from core.domain.runtime import Runtime
from core.domain.transform import Tolerance
from core.domain.work import Bundle, NamedModel
from core.formats import FORMATS
from core.formats.skops import TRUSTED
from core.memory.blobs import Blob, Blobs
from core.runtimes import cannot_run, on_shelf
from core.shrink import pack

HERE = Path(__file__).parent
Made = Conversion | Compression
REPLAY = Tolerance(absolute=1e-4, relative=1e-4)
"""What an artifact may differ by from its own recorded answers on another machine, where no tolerance applies to those of its source."""
FIRST = """
The model is packed for download. Before anything else, run

  python unpack.py

which needs only Python and restores {member} from model.packed, byte for byte; verify.py does this by itself.
"""


def build(blobs: Blobs, made: Made, packed: Blob | None = None) -> Bundle:
    """Write the zip of a result to the store, with the model ``packed`` where it is; equal facts give equal bytes."""
    artifact = made.artifact
    runtime = on_shelf(artifact.format)
    member = "model" + FORMATS[artifact.format].suffixes[0]
    members: dict[str, str | Path] = {
        **carried(blobs, member, artifact, packed),
        "golden.npz": blobs.path(made.golden.sha256),
        "card.json": json.dumps(card(made, member), indent=2, sort_keys=True) + "\n",
        "verify.py": verification(runtime),
        "use.py": usage(made),
        "requirements.txt": "".join(f"{pinned(name)}\n" for name in runtime.packages) if runtime else "",
        "README.txt": Template((HERE / "readme.txt").read_text()).substitute(
            title=FORMATS[artifact.format].title,
            first=FIRST.format(member=member) if packed else "",
            member=member,
            verdict=made.parity.verdict,
            check=checked(artifact.format),
        ),
    }
    members |= javascript.members(artifact.format, member, made.summary.inputs)
    members |= scorer.members(artifact.format)
    members = {name: content for name, content in members.items() if content}
    with blobs.writer() as writer:
        with zipfile.ZipFile(cast(IO[bytes], writer), "w") as archive:
            for name, content in members.items():
                archives.add(archive, name, content.encode() if isinstance(content, str) else content)
        blob = writer.commit()
    kind = "-packed" if packed else ""
    return Bundle(blob.sha256, blob.size, f"{safe_stem(artifact.name)}-portolan{kind}.zip")


def carried(blobs: Blobs, member: str, artifact: NamedModel, packed: Blob | None) -> dict[str, str | Path]:
    """Return the model as deployed, or packed with the script that unpacks it."""
    if packed is None:
        return {member: blobs.path(artifact.sha256)}
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


def card(made: Made, member: str) -> dict[str, Any]:
    """Return lineage, recipe, evidence, versions and checksums of the bundle."""
    artifact, parity, data = encode(made.artifact), made.parity, made.data
    steps = [encode(one.model) | encode(one.step) for one in made.steps]
    evidence = {"parity": parity, "quality": made.quality, "size": made.size}
    return {
        "portolan": 1,
        "artifact": {"file": member, **artifact},
        "golden": {"file": "golden.npz", "sha256": made.golden.sha256},
        "lineage": [encode(made.source), *steps],
        "recipe": encode(made.recipe),
        "evidence": encode(evidence),
        "lost": list(made.lost) if isinstance(made, Conversion) else [],
        "data": {"sha256": data.sha256, "name": data.name, "read": list(made.read)} if data else None,
        "tolerance": encode(parity.tolerance or REPLAY),
        "versions": encode(parity.versions),
        "trusted": list(TRUSTED) if made.artifact.format == "skops" else None,
        "signature": encode(made.summary.signature),
    }


def usage(made: Made) -> str:
    """Return a few lines of Python that run the artifact on an input of the right shape; empty where no runtime is known."""
    format = made.artifact.format
    runtime = on_shelf(format)
    names = [f"use_{name}.txt" for name in (format, runtime.id if runtime else "")]
    template = next((HERE / name for name in names if (HERE / name).exists()), None)
    if template is None:
        return ""
    member = "model" + FORMATS[format].suffixes[0]
    inputs = ",\n".join(f"    {spec.name!r}: {example(spec)}" for spec in made.summary.inputs)
    return Template(template.read_text()).substitute(member=member, inputs=inputs)


def example(spec: TensorSpec) -> str:
    """Return a NumPy expression for one row of an input; symbolic dimensions become 1."""
    shape = [dim if isinstance(dim, int) else 1 for dim in spec.shape or []]
    dtype = spec.dtype if re.fullmatch(r"(u?int|float)\d+|bool", spec.dtype) else None
    return f'np.zeros({shape}, dtype="{dtype}")' if dtype else f'np.full({shape}, "", dtype=object)'


def safe_stem(name: str) -> str:
    """Return the letters, digits, dots and dashes of a file's name without its suffix; ``model`` if none are left."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", PurePath(name).stem).strip(".-")[:80] or "model"


def targets() -> tuple[str, ...]:
    """Return the formats that a converter writes, in the order of the table; a bundle can carry each of them."""
    return tuple(dict.fromkeys(converter.target for converter in CONVERTERS))
