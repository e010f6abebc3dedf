"""One HTML file about a model, for people who decide: no script, no address to fetch from, charts as pictures.

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
from core.domain.profile import Profile
from core.domain.share import Share
from core.domain.side_by_side import SideBySide
from core.memory.store import Store

ROOT = Path(__file__).parents[3]
SECONDS = 60.0


@dataclass(frozen=True)
class Compressions:
    """What the page is about: the model's name, its finished compressions, and the place of the one that stands first."""

    name: str
    results: tuple[Compression, ...]
    chosen: int


@dataclass(frozen=True)
class Measured:
    """What the page is about: the model's name, its report card, and how it did in other runtimes, where that was measured."""

    name: str
    result: Profile
    beside: SideBySide | None = None


def show(store: Store, visitor: str, model: Artifact, title: str, page: bytes, days: float = 0.0) -> Share:
    """Keep a page about a model under a link that is good for some days."""
    with store.blobs.writer() as writer:
        writer.write(page)
        blob = writer.commit()
    return store.add_share(visitor, model.id, blob.sha256, title, days)


def compression(name: str, results: Sequence[Compression], chosen: int) -> bytes:
    """Return the page about ``results``, finished compressions of the model ``name``; the one at ``chosen`` stands first.

    Raises Crashed where the page cannot be written.
    """
    return _written("core.answers.report.variants", Compressions(name, tuple(results), chosen))


def profile(name: str, result: Profile, beside: SideBySide | None = None) -> bytes:
    """Return the page about what the model ``name`` costs. Raises Crashed where the page cannot be written."""
    return _written("core.answers.report.card", Measured(name, result, beside))


def _written(module: str, facts: Compressions | Measured) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", module],
            input=json.dumps(encode(facts)).encode(),
            capture_output=True,
            timeout=SECONDS,
            check=True,
            cwd=ROOT,
        )
    except (subprocess.SubprocessError, OSError) as error:
        raise Crashed(f"The report could not be written: {type(error).__name__}.", "Try again.") from error
    return done.stdout
