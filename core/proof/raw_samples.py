"""Records raw samples on their way through a model, stage by stage, so that the code that travels with it can be held to them."""

import base64
import io
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import numpy as np
from PIL import Image

from core.decoding import decoded
from core.domain.errors import Refused
from core.domain.meaning import Meaning, Reading, Says
from core.domain.runtime import Session
from core.domain.task import Task
from core.preprocessing import stages, told
from core.proof import fitting, quality
from core.proof.dataset import Dataset
from core.proof.pictures import Pictures

SAMPLES, TOP, FIRST = 4, 3, 100
LARGEST, LARGEST_OUTPUT = 2 << 20, 1 << 18
"""Bytes of a sample's file, and of the answers to it, above which it is left out."""


def picked(dataset: Pictures) -> Iterable[tuple[str, bytes]]:
    """Yield some files of a data set with their names, at regular distances so that classes in folders take turns."""
    for row in dict.fromkeys(np.linspace(0, dataset.n - 1, min(4 * SAMPLES, dataset.n)).astype(int).tolist()):
        yield dataset.members[row], dataset.folder.read(dataset.members[row])


def drawn(task: Task) -> Iterable[tuple[str, bytes]]:
    """Yield pictures that nobody took, of other sizes than the model's and one of them on its side, for a task without data."""
    sizes = [step.options.get(side) for step in task.prepare for side in ("height", "width")]
    side = max([32, *(size for size in sizes if isinstance(size, int))])
    rng = np.random.default_rng(20261201)
    for name, height, width, orientation in (
        ("wide", side + 21, 2 * side + 9, 1),
        ("tall", 2 * side + 3, side + 40, 6),
    ):
        slopes = np.add.outer(np.linspace(0, 200, height), np.linspace(0, 55, width))[:, :, None] * (1.0, 0.7, 0.4)
        pixels = np.clip(slopes + rng.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8)
        out, exif = io.BytesIO(), Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(pixels).save(out, "PNG", exif=exif)
        yield f"{name}.png", out.getvalue()


def record(session: Session, task: Task, reading: Reading, raws: Iterable[tuple[str, bytes]]) -> list[dict[str, Any]]:
    """Return up to ``SAMPLES`` samples with what each step made of them, the model's answers and what these mean; one that a step refuses is left out."""
    found: list[dict[str, Any]] = []
    for name, raw in raws:
        if len(found) == SAMPLES:
            break
        try:
            made = [(told(step), value) for step, value in zip(task.prepare, stages(raw, task.prepare), strict=True)]
            inputs = fitting.fitted({session.signature.inputs[0].name: made[-1][1][None]}, session.signature.inputs)
        except Refused:
            continue
        outputs = quality.answers(session, Dataset(inputs, None, 1, fitting.shapes(session.signature.inputs)))
        if len(raw) > LARGEST or sum(one.nbytes for one in outputs) > LARGEST_OUTPUT:
            continue
        meant = meaning(outputs, task, reading)
        found.append(
            {
                "name": name[-200:],
                "raw": base64.b64encode(raw).decode(),
                "stages": [{"words": words, **described(value)} for words, value in made],
                "outputs": [written(one) for one in outputs],
                "words": list(meant.words),
                "numbers": list(meant.numbers),
            }
        )
    return found


def described(value: np.ndarray) -> dict[str, Any]:
    """Return what an array is, and the SHA-256 of its bytes in order."""
    return {
        "dtype": str(value.dtype),
        "shape": list(value.shape),
        "sha256": sha256(np.ascontiguousarray(value).tobytes()).hexdigest(),
        "mean": round(float(value.mean()), 4),
    }


def written(value: np.ndarray) -> dict[str, Any]:
    """Return an array as JSON takes it: the texts, or the bytes in base64."""
    if value.dtype.kind == "U":
        return {"dtype": "str", "shape": list(value.shape), "values": value.reshape(-1).tolist()}
    data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
    return {"dtype": str(value.dtype), "shape": list(value.shape), "data": data}


def meaning(outputs: list[np.ndarray], task: Task, reading: Reading) -> Meaning:
    """Return what the answer to one sample says, by what is done here and not by the code that travels."""
    if reading.says is Says.TEXT:
        return Meaning((str(decoded(outputs, task.decode)[0][0]),))
    values = outputs[reading.place if reading.says is not Says.NUMBERS else 0].reshape(-1).tolist()
    names = task.classes
    if reading.says is Says.NUMBERS:
        return Meaning(numbers=tuple(map(float, values[:FIRST])))
    if reading.says is Says.LABEL:
        one = values[0]
        return Meaning((names[one] if type(one) is int and 0 <= one < len(names) else str(one),))
    best = sorted(range(len(values)), key=lambda place: (-values[place], place))[:TOP]
    told_names = names if len(names) == len(values) else tuple(map(str, range(len(values))))
    return Meaning(tuple(told_names[place] for place in best), tuple(float(values[place]) for place in best))
