"""One HTML file about the compressions of a model, for people who decide: no script, no address to fetch from, charts as pictures.

It is written by a process of its own, because drawing a chart without a browser takes a JavaScript engine.
"""

import json
import subprocess  # noqa: TID251
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.domain.artifact import Artifact
from core.domain.codec import encode
from core.domain.compression import Compression
from core.domain.errors import Crashed
from core.domain.share import Share
from core.memory.store import Store

ROOT = Path(__file__).parents[3]
SECONDS = 60.0


@dataclass(frozen=True)
class Facts:
    """What the page is about: the model's name, its finished compressions, and the place of the one that stands first."""

    name: str
    results: tuple[Compression, ...]
    chosen: int


def show(
    store: Store,
    visitor: str,
    model: Artifact,
    title: str,
    results: Sequence[Compression],
    chosen: int,
    days: float = 0.0,
) -> Share:
    """Write the page about the compressions of a model and keep it under a link that is good for some days; see ``written``."""
    page = written(model.name, results, chosen)
    with store.blobs.writer() as writer:
        writer.write(page)
        blob = writer.commit()
    return store.add_share(visitor, model.id, blob.sha256, title, days)


def written(name: str, results: Sequence[Compression], chosen: int) -> bytes:
    """Return the page about ``results``, finished compressions of the model ``name``; the one at ``chosen`` stands first.

    Raises Crashed where the page cannot be written.
    """
    facts = json.dumps(encode(Facts(name, tuple(results), chosen))).encode()
    command = [sys.executable, "-m", "core.answers.report"]
    try:
        done = subprocess.run(  # noqa: S603
            command, input=facts, capture_output=True, timeout=SECONDS, check=True, cwd=ROOT
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise Crashed(f"The report could not be written: {type(error).__name__}.", "Try again.") from error
    return done.stdout
