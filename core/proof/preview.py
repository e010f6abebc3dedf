"""Shows a few samples on their way into a model, step by step, with the model's answer beside the label."""

import base64
import io

import numpy as np
from PIL import Image

from core.domain.runtime import Session
from core.domain.task import Shown, Stage
from core.preprocessing import stages, told
from core.proof import quality
from core.proof.pictures import Pictures
from core.proof.predictions import prediction

SAMPLES = 4
SIDE = 96
"""Pixels of the longer side of what is shown."""


def shown(session: Session, dataset: Pictures) -> tuple[Shown, ...]:
    """Return some samples, at regular distances so that classes in folders take turns."""
    picked = np.zeros(dataset.n, bool)
    picked[np.linspace(0, dataset.n - 1, min(SAMPLES, dataset.n)).astype(int)] = True
    few = dataset.only(picked)
    answers = _answers(quality.answers(session, few), few)
    return tuple(_one(few, row, answers[row]) for row in range(few.n))


def _one(dataset: Pictures, row: int, answer: str) -> Shown:
    name, steps = dataset.members[row], dataset.task.prepare
    found = stages(dataset.folder.read(name), steps)
    made = tuple(Stage(told(step), _result(value), picture(value)) for step, value in zip(steps, found, strict=True))
    return Shown(name[-200:], made, answer, _label(dataset, row))


def _label(dataset: Pictures, row: int) -> str:
    if dataset.labels is None:
        return ""
    label = dataset.labels[row]
    return dataset.names[int(label)] if dataset.names else str(label)


def _answers(outputs: list[np.ndarray], dataset: Pictures) -> list[str]:
    """Say what the model answers to each sample: a class with its score, or its first numbers."""
    found = prediction(outputs)
    if found is None or found[0].shape != (dataset.n, 1):
        return [
            ", ".join(f"{value:.3g}" for value in outputs[0][row].reshape(-1)[:4].tolist()) for row in range(dataset.n)
        ]
    names = dataset.names or dataset.task.classes
    words = [
        names[int(one)] if names and not isinstance(one, str) and int(one) < len(names) else str(one)
        for one in found[0][:, 0].tolist()
    ]
    return words


def _result(value: np.ndarray) -> str:
    """Say how large a sample is after a step, and between which numbers it lies."""
    low, high = (f"{float(end):.3g}" for end in (value.min(), value.max()))
    return f"{' x '.join(map(str, value.shape))}, {low} to {high}"


def picture(value: np.ndarray) -> str:
    """Return a sample as a small picture, whatever the order of its dimensions; numbers are stretched from black to white."""
    pixels = _pixels(value)
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    ratio = SIDE / max(image.size)
    size = max(1, round(image.width * ratio)), max(1, round(image.height * ratio))
    out = io.BytesIO()
    image.resize(size, Image.Resampling.NEAREST if ratio > 1 else Image.Resampling.BOX).save(out, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def _pixels(value: np.ndarray) -> np.ndarray:
    """Return [height, width, 1 or 3] uint8."""
    if value.ndim == 1:
        side = int(np.sqrt(len(value)))
        value = value[: side * side].reshape(side, side)
    if value.ndim == 2:
        value = value[:, :, None]
    if value.shape[0] in (1, 3) and value.shape[2] not in (1, 3):
        value = value.transpose(1, 2, 0)
    if value.dtype == np.uint8:
        return value
    low, high = float(value.min()), float(value.max())
    return np.rint((value - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)
