"""Bring a picture to the size that a model takes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.domain.preprocessing import Kind, Preprocessing
from core.domain.transform import option

if TYPE_CHECKING:
    import numpy as np

STRETCH, SHORTER, INSIDE = "stretch", "shorter side", "inside"
FILTERS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
ANTIALIAS = "Average over all pixels that one becomes, as Pillow does and OpenCV's INTER_LINEAR does not; without it, nearest and bilinear only."


@dataclass(frozen=True)
class ResizeOptions:
    """The size and the way to it."""

    height: int = option(224, "Rows of pixels.", low=1, high=16384)
    width: int = option(224, "Columns of pixels.", low=1, high=16384)
    fit: str = option(
        STRETCH,
        "Stretch to exactly this size; or scale until the shorter side has it (to be cropped next); or until all fits inside (to be padded next).",
        choices=(STRETCH, SHORTER, INSIDE),
    )
    filter: str = option("bilinear", "How a pixel is made of its neighbours.", choices=FILTERS)
    antialias: bool = option(True, ANTIALIAS)


class Resize(Preprocessing):
    """Scale with Pillow's filters, or without antialiasing as OpenCV and torch.nn.functional.interpolate do."""

    title = "Resize"
    sentence = "Scales the picture to a height and width."
    takes = (Kind.PICTURE,)
    gives = Kind.PICTURE
    Options = ResizeOptions

    def apply(self, value: "np.ndarray", options: ResizeOptions) -> "np.ndarray":
        """Return the picture [height, width, channels] uint8 in its new size."""
        height, width = _size(value.shape[:2], options)
        if (height, width) == value.shape[:2]:
            return value
        if not options.antialias and options.filter in ("nearest", "bilinear"):
            return _nearest(value, height, width) if options.filter == "nearest" else _bilinear(value, height, width)
        return _filtered(value, height, width, options.filter)

    def code(self, options: ResizeOptions) -> str:
        """Return the same for a package."""
        plain = not options.antialias and options.filter in PLAIN
        way = PLAIN[options.filter] if plain else FILTERED.replace("FILTER", options.filter.upper())
        size = SIZES[options.fit].replace("HEIGHT", str(options.height)).replace("WIDTH", str(options.width))
        return f"{size}if (height, width) == value.shape[:2]:\n    return value\n{way}"


SIZES = {
    STRETCH: "height, width = HEIGHT, WIDTH\n",
    SHORTER: """\
ratio = max(HEIGHT / value.shape[0], WIDTH / value.shape[1])
height, width = max(HEIGHT, int(value.shape[0] * ratio)), max(WIDTH, int(value.shape[1] * ratio))
""",
    INSIDE: """\
ratio = min(HEIGHT / value.shape[0], WIDTH / value.shape[1])
height, width = max(1, round(value.shape[0] * ratio)), max(1, round(value.shape[1] * ratio))
""",
}
"""``_size`` for a package."""

FILTERED = """\
planes = [Image.fromarray(np.ascontiguousarray(value[:, :, place])) for place in range(value.shape[2])]
scaled = [np.asarray(plane.resize((width, height), Image.Resampling.FILTER)) for plane in planes]
return np.stack(scaled, axis=-1)
"""
PLAIN = {
    "nearest": """\
rows, columns = np.arange(height) * value.shape[0] // height, np.arange(width) * value.shape[1] // width
return value[rows][:, columns]
""",
    "bilinear": """\
mixed = value.astype(np.float32)
for axis, n in ((0, height), (1, width)):
    have = mixed.shape[axis]
    place = np.clip((np.arange(n) + 0.5) * have / n - 0.5, 0, have - 1)
    low = np.floor(place).astype(np.int64)
    share = (place - low).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    high = np.minimum(low + 1, have - 1)
    mixed = mixed.take(low, axis) * (1 - share) + mixed.take(high, axis) * share
return np.rint(mixed).astype(np.uint8)
""",
}
"""``_nearest`` and ``_bilinear`` for a package."""


def _size(have: tuple[int, ...], options: ResizeOptions) -> tuple[int, int]:
    """Return the new size, of which a side has one pixel at least; rounded down as torchvision does for the shorter side."""
    if options.fit == STRETCH:
        return options.height, options.width
    ratios = options.height / have[0], options.width / have[1]
    if options.fit == SHORTER:
        ratio = max(ratios)
        return max(options.height, int(have[0] * ratio)), max(options.width, int(have[1] * ratio))
    ratio = min(ratios)
    return max(1, round(have[0] * ratio)), max(1, round(have[1] * ratio))


def _filtered(value: "np.ndarray", height: int, width: int, filter: str) -> "np.ndarray":
    import numpy as np
    from PIL import Image

    kernel = Image.Resampling[filter.upper()]
    planes = [Image.fromarray(np.ascontiguousarray(value[:, :, place])) for place in range(value.shape[2])]
    return np.stack([np.asarray(plane.resize((width, height), kernel)) for plane in planes], axis=-1)


def _nearest(value: "np.ndarray", height: int, width: int) -> "np.ndarray":
    import numpy as np

    rows, columns = (np.arange(n) * have // n for n, have in ((height, value.shape[0]), (width, value.shape[1])))
    picked: np.ndarray = value[rows][:, columns]
    return picked


def _bilinear(value: "np.ndarray", height: int, width: int) -> "np.ndarray":
    """Mix the two neighbours along each side, with pixels at their centres (align_corners=False)."""
    import numpy as np

    mixed = value.astype(np.float32)
    for axis, n in ((0, height), (1, width)):
        have = mixed.shape[axis]
        place = np.clip((np.arange(n) + 0.5) * have / n - 0.5, 0, have - 1)
        low = np.floor(place).astype(np.int64)
        share = (place - low).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        high = np.minimum(low + 1, have - 1)
        mixed = mixed.take(low, axis) * (1 - share) + mixed.take(high, axis) * share
    rounded: np.ndarray = np.rint(mixed).astype(np.uint8)
    return rounded


STEP = Resize()
