"""Decode a picture file, within a bound of pixels that is checked before any is decoded."""

import io
import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.domain.errors import Refused, first_line
from core.domain.preprocessing import Kind, Preprocessing
from core.domain.transform import option

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

LARGEST = 100_000_000
"""Pixels; a photograph of 10,000 by 10,000."""
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""Decoders of Pillow that may be tried; others read rare formats, and some of them start programs."""
MODES = {"RGB": "RGB", "grey": "L"}


@dataclass(frozen=True)
class PictureOptions:
    """How pixels are read."""

    colours: str = option("RGB", "Three colours, or one grey value for each pixel.", choices=("RGB", "grey"))
    turn: bool = option(True, "Turn a photograph upright as its EXIF data says; OpenCV does, torchvision does not.")


class Picture(Preprocessing):
    """PNG, JPEG, BMP, GIF, WebP, TIFF or PPM to [height, width, channels] uint8, by Pillow."""

    title = "Read the picture"
    sentence = "Decodes a picture file to red, green and blue, or to grey."
    takes = (Kind.FILE,)
    gives = Kind.PICTURE
    Options = PictureOptions

    def apply(self, value: bytes, options: PictureOptions) -> "np.ndarray":
        """Return the pixels; transparent ones are shown on black, as converters to RGB leave them. Raises Refused for a file that is no picture, or too large."""
        import numpy as np
        from PIL import ImageOps

        with _opened(value) as found:
            upright = ImageOps.exif_transpose(found) if options.turn else found
            pixels = np.asarray(upright.convert(MODES[options.colours]))
        return pixels[:, :, None] if pixels.ndim == 2 else pixels

    def code(self, options: PictureOptions) -> str:
        """Return the same for a package."""
        upright = "ImageOps.exif_transpose(found)" if options.turn else "found"
        channel = "[:, :, None]" if MODES[options.colours] == "L" else ""
        return f"""\
try:
    found = Image.open(io.BytesIO(value), formats={json.dumps(FORMATS)})
    if found.width * found.height > {LARGEST:_}:
        raise ValueError("it has more than {LARGEST:,} pixels")
    found.load()
except Exception as error:  # decoders raise whatever a broken file makes them raise
    raise BadInput(f"This is no picture that can be read: {{str(error)[:120]}}") from None
return np.asarray({upright}.convert("{MODES[options.colours]}")){channel}
"""


def _opened(value: bytes) -> "Image":
    """Open and decode a file. Raises Refused."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = Image.open(io.BytesIO(value), formats=FORMATS)
            if found.width * found.height > LARGEST:
                raise Image.DecompressionBombError(f"{found.width:,} by {found.height:,} pixels")
            found.load()
        except Image.DecompressionBombError as error:
            words = f"A picture has more than {LARGEST:,} pixels ({first_line(error)[:80]})."
            raise Refused(words, "Make it smaller.") from None
        except Exception as error:  # decoders raise whatever a broken file makes them raise
            raise Refused(
                f"This is no picture that can be read: {first_line(error)[:120]}", "Save it as PNG."
            ) from None
    return found


STEP = Picture()
