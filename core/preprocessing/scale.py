"""Bring brightness from 0 to 255 into the range that a model was trained on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.domain.preprocessing import Kind, Preprocessing
from core.domain.transform import option

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class ScaleOptions:
    """Numbers for ``value / divide + add``."""

    divide: float = option(255.0, "Brightness is divided by this; negative inverts it.", low=-1e6, high=1e6)
    add: float = option(0.0, "Added afterwards; -1 after dividing by 127.5 gives -1 to 1.", low=-1e6, high=1e6)


class Scale(Preprocessing):
    """``value / divide + add`` in float32."""

    title = "Scale"
    sentence = "Divides brightness by a number, and adds one."
    takes = (Kind.PICTURE, Kind.NUMBERS)
    gives = Kind.NUMBERS
    Options = ScaleOptions

    def apply(self, value: "np.ndarray", options: ScaleOptions) -> "np.ndarray":
        """Return float32 of the same shape."""
        import numpy as np

        scaled: np.ndarray = value.astype(np.float32) / np.float32(options.divide or 1.0) + np.float32(options.add)
        return scaled

    def code(self, options: ScaleOptions) -> str:
        """Return the same for a package."""
        return (
            f"return value.astype(np.float32) / np.float32({options.divide or 1.0!r}) + np.float32({options.add!r})\n"
        )


STEP = Scale()
