"""Take the mean of each colour off, and divide by its standard deviation."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.domain.errors import Refused
from core.domain.preprocessing import Kind, Preprocessing
from core.domain.transform import option

if TYPE_CHECKING:
    import numpy as np

IMAGENET = "0.485, 0.456, 0.406", "0.229, 0.224, 0.225"
"""Of ImageNet's pictures between 0 and 1 (He et al. 2016 and torchvision's weights)."""


@dataclass(frozen=True)
class NormaliseOptions:
    """A number for each channel, or one for all, separated by commas."""

    mean: str = option(IMAGENET[0], "Mean of each colour, separated by commas; one number for all.")
    std: str = option(IMAGENET[1], "Standard deviation of each colour, separated by commas; one number for all.")


class Normalise(Preprocessing):
    """``(value - mean) / std`` along the last dimension, in float32."""

    title = "Normalise"
    sentence = "Takes a mean off and divides by a standard deviation, colour by colour."
    takes = (Kind.NUMBERS, Kind.PICTURE)
    gives = Kind.NUMBERS
    Options = NormaliseOptions

    def apply(self, value: "np.ndarray", options: NormaliseOptions) -> "np.ndarray":
        """Return float32 of the same shape. Raises Refused where the numbers are not as many as the channels."""
        import numpy as np

        mean, std = (_numbers(text, value.shape[-1]) for text in (options.mean, options.std))
        if not std.all():
            raise Refused("A standard deviation of 0 divides by nothing.", "Use numbers above 0.")
        normalised: np.ndarray = (value.astype(np.float32) - mean) / std
        return normalised

    def code(self, options: NormaliseOptions) -> str | None:
        """Return the same for a package; None for numbers that are not finite. Raises Refused for what are no numbers."""
        mean, std = (_parsed(text) for text in (options.mean, options.std))
        if not all(map(math.isfinite, mean + std)):
            return None
        return f"""\
mean, std = np.array({mean}, np.float32), np.array({std}, np.float32)
if not {{len(mean), len(std)}} <= {{1, value.shape[-1]}}:
    raise BadInput("There are not as many means and standard deviations as channels.")
return (value.astype(np.float32) - mean) / std
"""


def _parsed(text: str) -> list[float]:
    try:
        return [float(one) for one in text.split(",")]
    except ValueError:
        raise Refused(f"{text[:80]!r} are no numbers.", "Write numbers separated by commas: 0.5, 0.5, 0.5.") from None


def _numbers(text: str, channels: int) -> "np.ndarray":
    import numpy as np

    found = np.array(_parsed(text), np.float32)
    if len(found) not in (1, channels):
        raise Refused(
            f"There are {len(found)} numbers for {channels} channels.", "Give one for each channel, or one for all."
        )
    return found


STEP = Normalise()
