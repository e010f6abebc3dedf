"""Between rows and nouns: what a row of the store reads as, and how values are written into one."""

import json
from dataclasses import dataclass
from typing import Any, TypeVar

from core.domain.artifact import Artifact
from core.domain.codec import decode, encode
from core.domain.dataset import StoredDataset
from core.domain.recipe import Step
from core.domain.share import Share
from core.domain.stored import read

T = TypeVar("T")


@dataclass(frozen=True)
class StoredReport:
    """What was measured on an artifact: the kind, the value as text, and the blobs that it names; created in seconds since 1970."""

    id: str
    artifact: str
    kind: str
    against: str | None
    text: str
    blobs: tuple[str, ...]
    job: str | None
    created: float

    def read(self, kind: type[T]) -> T:
        """Return the value by its declaration. Raises Malformed."""
        return read(kind, self.text)


def plain_name(name: str) -> str:
    """Return a name as one line of at most 200 printable characters; control and direction marks go."""
    kept = "".join(letter if letter.isprintable() else " " for letter in name)
    return " ".join(kept.split())[:200] or "model"


def step_text(step: Step) -> str:
    """Write a step so that equal steps are equal text, which is how the index of artifacts knows them; it carries no version."""
    return json.dumps(encode(step), sort_keys=True, ensure_ascii=False)


def read_artifact(row: dict[str, Any]) -> Artifact:
    """Read a row of the table artifact."""
    step = decode(Step, json.loads(row["step"])) if row["step"] else None
    return Artifact(**_own(row, "step", "consented"), step=step, consented=bool(row["consented"]))


def read_report(row: dict[str, Any], blobs: tuple[str, ...]) -> StoredReport:
    """Read a row of the table report, with the blobs that mentions name for it."""
    return StoredReport(**_own(row, "value"), text=row["value"], blobs=blobs)


def read_dataset(row: dict[str, Any]) -> StoredDataset:
    """Read a row of the table dataset."""
    return StoredDataset(**_own(row))


def read_share(row: dict[str, Any]) -> Share:
    """Read a row of the table share."""
    return Share(**_own(row))


def _own(row: dict[str, Any], *other: str) -> dict[str, Any]:
    """Return the columns that are fields as they stand; whose row it is stays in the store."""
    return {key: value for key, value in row.items() if key not in ("visitor", *other)}
