"""The card of a sample: what it is, where its data is from, what each file answers on the rows that it never learned from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Dataset:
    """Where the rows come from, and on which terms."""

    name: str
    source: str
    licence: str
    credit: str


@dataclass(frozen=True)
class Words:
    """What the card says in words."""

    title: str
    task: str
    sentence: str
    preprocessing: str
    dataset: Dataset
    classes: list[str]


def agreement(predicted: np.ndarray, truth: np.ndarray, on: str) -> dict[str, Any]:
    """Return the right answers k of n, and on which rows."""
    k, n = int((np.asarray(predicted) == np.asarray(truth)).sum()), len(truth)
    return {"metric": "accuracy", "k": k, "n": n, "value": round(k / n, 4), "on": on}


def files(
    folder: Path, formats: Mapping[str, str], answers: Mapping[str, np.ndarray], truth: np.ndarray
) -> list[dict[str, Any]]:
    """Return a row for each file: name, format, hash, size, and its own right answers on the shipped rows."""
    rows = []
    for name, format in formats.items():
        shipped = agreement(answers[name], truth, "the shipped test rows")
        rows.append(
            {"name": name, "format": format, **fingerprint(folder / name), "k": shipped["k"], "n": shipped["n"]}
        )
    return rows


def fingerprint(path: Path) -> dict[str, Any]:
    """Return hash and size of a file."""
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def compose(
    folder: Path,
    words: Words,
    *,
    main: str,
    rows: list[dict[str, Any]],
    data: dict[str, Any],
    accuracy: dict[str, Any],
    training: dict[str, Any],
    packages: list[str],
) -> dict[str, Any]:
    """Return the whole card of the sample in a folder; the files carry the licence of the data that they were made of."""
    return {
        "id": folder.name,
        **asdict(words),
        "licence": words.dataset.licence,
        "main": main,
        "files": rows,
        "data": {**data, **fingerprint(folder / data["file"])},
        "accuracy": accuracy,
        "training": training,
        "versions": {name: version(name) for name in packages},
    }


def write(folder: Path, content: dict[str, Any]) -> None:
    """Write the card beside the files."""
    (folder / "card.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
