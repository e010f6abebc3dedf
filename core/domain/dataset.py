"""Samples to compare and measure with, as the store knows them; only the sandboxed worker opens the file."""

from dataclasses import dataclass

from core.domain.references import Sha256


@dataclass(frozen=True)
class StoredDataset:
    """A data file: SHA-256, bytes, the visitor's name for it, its label column if named, and the sample that it came with."""

    id: str
    sha256: Sha256
    size: int
    name: str
    label: str | None = None
    sample: str | None = None
    created: float = 0.0
