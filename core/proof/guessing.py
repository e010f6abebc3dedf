"""Guesses what a file does not say: how pictures become the input of a model, from the shape and type of that input."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from core.domain.artifact import Dim, Signature, TensorSpec
from core.domain.errors import Refused
from core.domain.recipe import Option, Step
from core.domain.task import Task
from core.preprocessing import layout, picture, resize

if TYPE_CHECKING:
    from collections.abc import Sequence

CHANNELS = (1, 3)
IMAGENET_CLASSES = (1000, 1001)
LONGEST = 200_000
"""Characters of an alphabet that is believed; the longest of PP-OCR's has 37,415 with its line ends."""
LINE = (48, 320)
"""Height and width of a line of text that PP-OCR's recognizers were trained on, from version 3."""


def of_pictures(signature: Signature, metadata: Mapping[str, str], first: bytes | None = None) -> Task:
    """Guess the task of a model that takes pictures; sizes that are free are those of the ``first``. Raises Refused where no picture fits."""
    return _reader(signature, metadata) or from_signature(signature, first)


def _reader(signature: Signature, metadata: Mapping[str, str]) -> Task | None:
    """Return the task of a text recognizer as PaddleOCR exports it, whose metadata holds the characters; None for another model."""
    alphabet, scores = metadata.get("character"), [out.shape for out in signature.outputs]
    if alphabet is None or len(alphabet) > LONGEST or len(scores) != 1 or scores[0] is None or len(scores[0]) != 3:
        return None
    characters = alphabet.rstrip("\n").split("\n")
    if scores[0][2] == len(characters) + 2:
        characters.append(" ")  # PP-OCR's decoder adds the space after the characters of the file
    if scores[0][2] != len(characters) + 1:
        return None
    _, sides, _ = _laid(signature.inputs[0])
    height, width = (side if isinstance(side, int) else usual for side, usual in zip(sides, LINE, strict=True))
    size: dict[str, Option] = {"height": height, "width": width}
    fit: dict[str, Option] = {"fit": resize.INSIDE, "antialias": False}
    grey: dict[str, Option] = {"value": 128, "place": "top left"}
    half: dict[str, Option] = {"divide": 127.5, "add": -1.0}
    steps = (
        Step("picture"),
        Step("resize", size | fit),
        Step("pad", size | grey),
        Step("swap_colours"),
        Step("scale", half),
    )
    return Task((*steps, Step("layout")), decode=Step("ctc", {"alphabet": "\n".join(characters)}))


def from_signature(signature: Signature, first: bytes | None = None) -> Task:
    """Return the steps that lead from a picture file to the one input; sizes that are free are those of the ``first`` picture. Raises Refused where no picture fits."""
    spec = _only(signature)
    order, sides, channels = _laid(spec)
    steps = [Step("picture", {"colours": "grey"} if channels == 1 else {})]
    height, width = (side if isinstance(side, int) else _free(first, place) for place, side in enumerate(sides))
    steps.append(Step("resize", {"height": height, "width": width}))
    if spec.dtype.startswith(("float", "bfloat")):
        steps.append(Step("scale"))
        if channels != 1 and _classes(signature) in IMAGENET_CLASSES:
            steps.append(Step("normalise"))
    steps.append(Step("layout", {"order": order}))
    return Task(tuple(steps))


def sized(signature: Signature) -> bool:
    """Say whether the one input has a fixed height and width. Raises Refused where no picture fits."""
    return all(isinstance(side, int) for side in _laid(_only(signature))[1])


def _only(signature: Signature) -> TensorSpec:
    if len(signature.inputs) != 1:
        raise Refused(
            f"The model has {len(signature.inputs)} inputs, and a picture fills one.", "Give the samples as .npz."
        )
    return signature.inputs[0]


def _free(first: bytes | None, place: int) -> int:
    """Return a side of the first picture, for a model that takes any."""
    if first is None:
        raise Refused("The model takes pictures of any size.", "Add some, so that a size can be chosen.")
    return int(picture.STEP.apply(first, picture.PictureOptions()).shape[place])


def _laid(spec: TensorSpec) -> "tuple[str, Sequence[Dim], int]":
    """Return the order of the dimensions, height and width, and the channels of an input."""
    shape = spec.shape or ()
    if len(shape) == 4 and shape[1] in CHANNELS:
        return layout.FIRST, shape[2:], int(shape[1] or 0)
    if len(shape) == 4 and shape[3] in CHANNELS:
        return layout.LAST, shape[1:3], int(shape[3] or 0)
    if len(shape) == 4 and not any(isinstance(dim, int) for dim in shape[1:]):
        return layout.FIRST, shape[2:], 3
    if len(shape) == 3 and all(isinstance(dim, int) and dim > CHANNELS[-1] for dim in shape[1:]):
        return layout.NONE, shape[1:], 1
    side = math.isqrt(shape[1]) if len(shape) == 2 and isinstance(shape[1], int) else 0
    if side > 1 and side * side == shape[1]:
        return layout.FLAT, (side, side), 1
    told = " x ".join("n" if dim is None else str(dim) for dim in shape) or "nothing that its file says"
    raise Refused(
        f"The input {spec.name!r} takes {told}, which is not the shape of a picture.",
        "Set how pictures become this input on the Models page, or give the samples as .npz.",
    )


def _classes(signature: Signature) -> int | None:
    last = [spec.shape[-1] for spec in signature.outputs if spec.shape]
    return last[0] if last and isinstance(last[0], int) else None
