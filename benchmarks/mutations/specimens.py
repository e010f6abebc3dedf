"""The honest files that are changed: those of the tests for every format on the shelf, and data sets for a small model."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.formats.honest import HONEST

ROWS = np.linspace(-1, 1, 48, dtype=np.float32).reshape(12, 4)
LABELS = np.arange(12) % 3


@dataclass(frozen=True)
class Specimen:
    """A file, its name, and its format; "data" for a data set."""

    name: str
    format: str
    data: bytes


def arrays() -> bytes:
    """Return an archive of NumPy arrays."""
    out = io.BytesIO()
    np.savez_compressed(out, x=ROWS, y=LABELS)
    return out.getvalue()


def parquet() -> bytes:
    """Return a parquet file of four columns and labels."""
    import pandas as pd

    table = pd.DataFrame({**{f"x{n}": ROWS[:, n] for n in range(4)}, "y": LABELS})
    return bytes(table.to_parquet())


def lines() -> list[dict[str, float]]:
    """Return the rows as tables name them."""
    return [
        {**{f"x{n}": float(v) for n, v in enumerate(row)}, "y": int(y)} for row, y in zip(ROWS, LABELS, strict=True)
    ]


DATA: dict[str, Callable[[], bytes]] = {
    "rows.npz": arrays,
    "rows.csv": lambda: "\n".join([",".join(lines()[0]), *(",".join(map(str, row.values())) for row in lines())]).encode(),
    "rows.parquet": parquet,
}  # fmt: skip


def specimens(folder: Path) -> list[Specimen]:
    """Write every honest file that a folder lacks, and return what they hold."""
    for name, (_, write) in HONEST.items():
        if not (folder / name).exists():
            write(folder / name)
    models = [Specimen(name, format, (folder / name).read_bytes()) for name, (format, _) in HONEST.items()]
    return models + [Specimen(name, "data", make()) for name, make in DATA.items()]
