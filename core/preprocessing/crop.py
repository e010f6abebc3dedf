"""Cut the middle out of a picture."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.domain.errors import Refused
from core.domain.preprocessing import Kind, Preprocessing
from core.domain.transform import option

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class CropOptions:
    """What stays."""

    height: int = option(224, "Rows of pixels that stay.", low=1, high=16384)
    width: int = option(224, "Columns of pixels that stay.", low=1, high=16384)


class Crop(Preprocessing):
    """Keep the middle, rounded as torchvision's CenterCrop rounds."""

    title = "Crop the middle"
    sentence = "Keeps the middle of the picture."
    takes = (Kind.PICTURE,)
    gives = Kind.PICTURE
    Options = CropOptions

    def apply(self, value: "np.ndarray", options: CropOptions) -> "np.ndarray":
        """Return [height, width, channels]. Raises Refused for a smaller picture."""
        spare = value.shape[0] - options.height, value.shape[1] - options.width
        if min(spare) < 0:
            have = f"{value.shape[0]} by {value.shape[1]}"
            raise Refused(
                f"A picture of {have} pixels cannot be cropped to {options.height} by {options.width}.",
                "Resize it first, or pad it.",
            )
        top, left = (round(room / 2) for room in spare)
        return value[top : top + options.height, left : left + options.width]

    def code(self, options: CropOptions) -> str:
        """Return the same for a package."""
        return f"""\
height, width = value.shape[0] - {options.height}, value.shape[1] - {options.width}
if min(height, width) < 0:
    raise BadInput("The picture is smaller than {options.height} by {options.width} pixels.")
top, left = round(height / 2), round(width / 2)
return value[top : top + {options.height}, left : left + {options.width}]
"""


STEP = Crop()
