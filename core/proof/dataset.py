"""Samples as the arrays that a model takes, with their labels, cut into halves that never mix."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256

import numpy as np

from core.domain import batching
from core.domain.errors import Refused
from core.domain.split import Split
from core.domain.task import Task
from core.domain.technique import HALVES
from core.proof import sides
from core.proof.sides import Cut


@dataclass(frozen=True)
class Asked:
    """What the owner and the model say of a data set: the label column, the classes in order, the columns of the model's one table in order, and how raw samples become inputs."""

    label: str | None = None
    classes: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    task: Task | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    """What the author of the model wrote into its file."""

    split: Split | None = None


@dataclass(frozen=True)
class Dataset:
    """Samples by input name, all with ``n`` rows; labels of the same length or None; the shapes of the inputs where rows are not all that they hold.

    ``names`` are the classes by number where labels are names, and ``notes`` say in a sentence each how the file was read.
    """

    inputs: dict[str, np.ndarray]
    labels: np.ndarray | None
    n: int
    shapes: batching.Shapes = field(default_factory=dict)
    names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    cut: Cut | None = None
    """By what the halves are cut, where not by content."""

    def samples(self, start: int, stop: int) -> dict[str, np.ndarray]:
        """Return a range of rows, each array [rows, ...]."""
        return {name: array[start:stop] for name, array in self.inputs.items()}

    def rows(self, start: int, stop: int) -> dict[str, np.ndarray]:
        """Return a range of rows laid out as the model takes them."""
        return batching.native(self.samples(start, stop), self.shapes)

    @property
    def specimen(self) -> dict[str, np.ndarray]:
        """The first sample, each array [1, ...]: what shape and size the others have."""
        return self.samples(0, 1)

    @property
    def reads(self) -> bool:
        """Whether the answers are texts that are read, of which there are more than any list of classes holds."""
        return False

    def decoded(self, outputs: list[np.ndarray]) -> list[np.ndarray]:
        """Return what the outputs of a model for some rows mean: of a table, the outputs themselves."""
        return outputs

    def half(self, which: str) -> "Dataset":
        """Return the ``calibration`` half or the ``test`` half of the samples, in their order, or a quarter of the first.

        A sample belongs to one by the SHA-256 of its inputs' bytes, so that equal samples are never on both sides, and
        a sample stays on its side whatever else the file holds; or by its group or its time, where the owner names such
        a column: then it is said how many stand on both sides. Raises Refused where that part is empty.
        """
        own = sides.parts(self.n, self.digest, self.cut)
        kept = np.array([which in one for one in own])
        if not kept.any():
            raise Refused(f"The {which} part of the data contains no samples.", "Add more samples.")
        found = self.only(kept)
        if found.cut is None or which != HALVES[1]:
            return found
        learned = {self.digest(row) for row in np.flatnonzero(~kept).tolist()}
        twice = sum(self.digest(row) in learned for row in np.flatnonzero(kept).tolist())
        shared = f"{twice:,} of {found.n:,} held-out samples also stand among those learned from."
        return replace(found, notes=(*found.notes, found.cut.told(found.n, self.n), shared))

    def whole(self) -> "Dataset":
        """Return all samples, and say as how many they count where they stand in groups."""
        return replace(self, notes=(*self.notes, *self.cut.uncut())) if self.cut else self

    def digest(self, row: int) -> bytes:
        """Return the SHA-256 of a sample."""
        sample = self.samples(row, row + 1)
        cells = [sample[name] for name in sorted(sample)]
        texts = (str(a.tolist()).encode() if a.dtype.kind == "U" else a.tobytes() for a in cells)
        return sha256(b"".join(texts)).digest()

    def only(self, kept: np.ndarray) -> "Dataset":
        """Return the rows where ``kept`` [n] bool says so."""
        labels = None if self.labels is None else self.labels[kept]
        inputs = {name: array[kept] for name, array in self.inputs.items()}
        return replace(self, inputs=inputs, labels=labels, n=int(kept.sum()), cut=self.cut and self.cut.only(kept))
