"""Turn red, green, blue into blue, green, red."""

from typing import TYPE_CHECKING

from core.domain.preprocessing import Kind, Preprocessing
from core.domain.transform import NoOptions

if TYPE_CHECKING:
    import numpy as np


class SwapColours(Preprocessing):
    """The order in which OpenCV, Caffe and the models trained with them have colours."""

    title = "Swap the colours"
    sentence = "Puts the colours in the order blue, green, red."
    takes = (Kind.PICTURE,)
    gives = Kind.PICTURE

    def apply(self, value: "np.ndarray", options: NoOptions) -> "np.ndarray":
        """Return the channels in the other order."""
        return value[:, :, ::-1]

    def code(self, options: NoOptions) -> str:
        """Return the same for a package."""
        return "return value[:, :, ::-1]\n"


STEP = SwapColours()
