"""What is set beside each other, before and after: sizes, qualities, memory and kernels."""

from dataclasses import dataclass
from typing import ClassVar

from core.domain.overhead import Footprint, Kernels
from core.domain.report import Quality


@dataclass(frozen=True)
class Sizes:
    """Bytes of both files, as deployed and as a download: zipped, and packed where that was tried; ``not_packed`` says why not."""

    DERIVED: ClassVar = ("ratio",)

    before: int
    after: int
    zipped_before: int
    zipped_after: int
    packed_before: int | None = None
    packed_after: int | None = None
    not_packed: str | None = None

    @property
    def ratio(self) -> float:
        """How many times smaller the file is."""
        return self.before / max(1, self.after)

    def download(self) -> tuple[str, int, int]:
        """Return how both files are downloaded smallest, packed or zipped, and their bytes then, before and after."""
        if self.packed_after and self.packed_after < self.zipped_after:
            return "packed", self.packed_before or self.zipped_before, self.packed_after
        return "zipped", self.zipped_before, self.zipped_after


@dataclass(frozen=True)
class Qualities:
    """The quality of both files on the same labelled samples."""

    before: Quality
    after: Quality


@dataclass(frozen=True)
class Memory:
    """The memory that both files take."""

    before: Footprint
    after: Footprint


@dataclass(frozen=True)
class KernelCounts:
    """What the engine runs of both files."""

    before: Kernels
    after: Kernels
