"""Distillation as Hinton measured it (2015, arXiv 1503.02531, section 3): how much of the gap between a small network and its teacher closes.

The teacher is LeNet-5, the student LeNet-300-100. The student trained on labels alone is the one that the rest of the
benchmark begins with, trained as well as we can; the same student from other first weights then learns from the teacher's
answers by ``core.train.training``, with the labels, and beside them from its answers to training images that are shifted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from benchmarks.compression import nets
from benchmarks.compression.data import Data, Part
from benchmarks.compression.measured import right
from core.domain.technique import Lesson
from core.train.training import Plan, train
from sample_models import exports

TITLE = "LeNet-300-100 learns from LeNet-5, MNIST"
LEAST = 0.8
SHIFT = 2
"""Pixels by which an image is shifted at most, in each direction."""
SHIFTED = 45_000
PLAN = {"minutes": 8.0, "learning_rate": 2e-3, "temperature": 4.0}


@dataclass(frozen=True)
class Setting:
    """How a student is taught: passes over the samples, what is done with labels, shifted images beside the others, and trainings in a row."""

    epochs: int
    labels: str
    shifted: int
    rounds: int


SETTINGS = {
    "labels and the teacher's answers": Setting(25, "use", 0, 1),
    "the teacher's answers alone, to the images and to 45,000 shifted ones": Setting(25, "ignore", SHIFTED, 1),
    "the same in two rounds, the second with other shifts": Setting(25, "ignore", SHIFTED, 2),
}


def rows(data: Data, work: Path, seeds: tuple[int, ...]) -> Iterator[dict[str, Any]]:
    """Yield one row for each setting and seed: right answers of the students on labels, of the teacher and of the taught student.

    Where the teacher answers shifted images, the gap is also counted from a student on labels that had such images.
    """
    teacher = nets.trained("lenet_5", data, work)
    best, n, plain, moved = right(teacher, data.test), len(data.test), _labelled(data, 0, work), 0
    for seed in seeds:
        for name, setting in SETTINGS.items():
            moved = moved or _labelled(data, SHIFTED, work)
            found, control = (
                right(taught(name, seed, data, teacher, work), data.test),
                moved if setting.shifted else plain,
            )
            counts = {"labels": [plain, n], "same_images": [control, n], "teacher": [best, n], "taught": [found, n]}
            closed = {"closed": share(found, plain, best), "closed_same_images": share(found, control, best)}
            yield {"setting": name, **vars(setting), **PLAN, "seed": seed, **counts, **closed}


def share(found: int, low: int, high: int) -> float:
    """Return how much of the gap between two counts is closed."""
    return round((found - low) / (high - low), 3) if high != low else 1.0


def _labelled(data: Data, shifted: int, work: Path) -> int:
    """Return the right answers of the student trained on labels alone, with shifted images or without."""
    flat = _flat(data)
    part = transferred(data.learning, shifted, 1)
    wider = Data(part.flat(), flat.choosing, flat.test, data.words)
    return right(nets.trained("lenet_300_100", wider, work, "-shifted" if shifted else ""), flat.test)


def taught(name: str, seed: int, data: Data, teacher: Path, work: Path) -> Path:
    """Return a student that learned from the teacher's answers."""
    setting, now = SETTINGS[name], blank(seed, data.learning.x[:2], work)
    out = work / f"student-{list(SETTINGS).index(name)}-{seed}.onnx"
    plan = Plan(PLAN["minutes"], setting.epochs, PLAN["learning_rate"], PLAN["temperature"], setting.labels, seed)
    for number in range(setting.rounds):
        part = transferred(data.learning, setting.shifted, seed + 100 * number)
        lesson = Lesson(teacher, {"x": part.x}, part.y if setting.labels == "use" else None)
        onnx.save(train(now, lesson, plan), out)
        now = out
    return out


def blank(seed: int, example: Any, work: Path) -> Path:
    """Return the student as ONNX before any training; it takes images as the teacher does."""
    path = work / f"student-{seed}.onnx"
    torch.manual_seed(seed)
    exports.save_onnx(nets.Net(nn.Flatten(), nets.lenet_300_100()).eval(), torch.from_numpy(example), path)
    return path


def transferred(learning: Part, shifted: int, seed: int) -> Part:
    """Return the samples, and behind them some that are shifted by up to ``SHIFT`` pixels with zeros at the edge."""
    rng = np.random.default_rng(seed)
    drawn = learning.rows(rng.permutation(len(learning))[:shifted])
    around = np.pad(drawn.x, ((0, 0), (0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)))
    steps = rng.integers(0, 2 * SHIFT + 1, (shifted, 2))
    cut = [image[:, top : top + 28, left : left + 28] for image, (top, left) in zip(around, steps, strict=True)]
    moved = np.stack(cut) if cut else drawn.x
    return Part(np.concatenate([learning.x, moved]), np.concatenate([learning.y, drawn.y]))


def _flat(data: Data) -> Data:
    return Data(data.learning.flat(), data.choosing.flat(), data.test.flat(), data.words)
