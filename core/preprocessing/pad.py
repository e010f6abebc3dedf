"""Put a border around a picture."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.domain.errors import Refused
from core.domain.preprocessing import Kind, Preprocessing
from core.domain.transform import option

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class PadOptions:
    """The size with the border, and what the border is."""

    height: int = option(224, "Rows of pixels with the border.", low=1, high=16384)
    width: int = option(224, "Columns of pixels with the border.", low=1, high=16384)
    value: int = option(0, "Brightness of the border.", low=0, high=255)
    place: str = option("middle", "Where the picture stands.", choices=("middle", "top left"))


class Pad(Preprocessing):
    """Fill up to a size."""

    title = "Pad"
    sentence = "Adds a border until the picture has a height and width."
    takes = (Kind.PICTURE,)
    gives = Kind.PICTURE
    Options = PadOptions

    def apply(self, value: "np.ndarray", options: PadOptions) -> "np.ndarray":
        """Return [height, width, channels]. Raises Refused for a larger picture."""
        import numpy as np

        spare = options.height - value.shape[0], options.width - value.shape[1]
        if min(spare) < 0:
            have = f"{value.shape[0]} by {value.shape[1]}"
            raise Refused(
                f"A picture of {have} pixels cannot be padded to {options.height} by {options.width}.",
                "Resize it first so that it fits inside.",
            )
        before = [room // 2 if options.place == "middle" else 0 for room in spare]
        border = [(first, room - first) for first, room in zip(before, spare, strict=True)]
        return np.pad(value, [*border, (0, 0)], constant_values=options.value)

    def code(self, options: PadOptions) -> str:
        """Return the same for a package."""
        before = "height // 2, width // 2" if options.place == "middle" else "0, 0"
        return f"""\
height, width = {options.height} - value.shape[0], {options.width} - value.shape[1]
if min(height, width) < 0:
    raise BadInput("The picture is larger than {options.height} by {options.width} pixels.")
top, left = {before}
return np.pad(value, [(top, height - top), (left, width - left), (0, 0)], constant_values={options.value})
"""


STEP = Pad()
