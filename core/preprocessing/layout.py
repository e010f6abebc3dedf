"""Put the dimensions in the order that a model takes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.domain.preprocessing import Kind, Preprocessing
from core.domain.transform import option

if TYPE_CHECKING:
    import numpy as np

FIRST, LAST, NONE, FLAT = "channels first", "channels last", "no channels", "flat"


@dataclass(frozen=True)
class LayoutOptions:
    """The order."""

    order: str = option(
        FIRST,
        "Channels first (PyTorch, ONNX), channels last (TensorFlow), rows and columns of grey only, or all numbers in a row.",
        choices=(FIRST, LAST, NONE, FLAT),
    )


class Layout(Preprocessing):
    """[height, width, channels] to [channels, height, width], [height, width] or [numbers]."""

    title = "Order of the dimensions"
    sentence = "Puts channels first or last, or all numbers in a row."
    takes = (Kind.PICTURE, Kind.NUMBERS)
    gives = Kind.NUMBERS
    Options = LayoutOptions

    def apply(self, value: "np.ndarray", options: LayoutOptions) -> "np.ndarray":
        """Return the sample as the model takes it, without the batch."""
        if options.order == FLAT:
            return value.reshape(-1)
        if options.order == FIRST:
            return value.transpose(2, 0, 1)
        return value[:, :, 0] if options.order == NONE else value

    def code(self, options: LayoutOptions) -> str:
        """Return the same for a package."""
        ways = {FIRST: ".transpose(2, 0, 1)", NONE: "[:, :, 0]", FLAT: ".reshape(-1)", LAST: ""}
        return f"return value{ways[options.order]}\n"


STEP = Layout()
