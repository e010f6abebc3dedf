"""One step on the way from a raw sample (a picture file, a text) to the numbers that a model takes."""

from enum import StrEnum
from typing import Any, ClassVar

from core.domain.shelf import Entry
from core.domain.transform import NoOptions, option_fields


class Kind(StrEnum):
    """What a sample is between two steps."""

    FILE = "picture file"
    """The bytes of a file."""

    PICTURE = "picture"
    """Array [height, width, channels] uint8, channels 1 or 3."""

    NUMBERS = "numbers"
    """Array of any shape, float32 or uint8: what the model takes of one sample."""


class Preprocessing(Entry):
    """Turns one sample into the next kind; runs in the sandboxed worker."""

    takes: ClassVar[tuple[Kind, ...]]
    gives: ClassVar[Kind]
    Options: ClassVar[type] = NoOptions

    def apply(self, value: Any, options: Any) -> Any:
        """Return the sample after the step. Raises Refused where it cannot be done."""
        raise NotImplementedError

    def code(self, options: Any) -> str | None:
        """Return the body of a Python function of ``value`` that does for these options what ``apply`` does, to the last bit.

        It may use ``np``, ``io``, ``Image`` and ``ImageOps`` of Pillow, and raise ``BadInput``; nothing that a stranger
        wrote stands in it but numbers. None where no such code is written.
        """
        return None

    def to_json(self) -> dict[str, Any]:
        """Return the table row with what it takes and gives, and its options."""
        return {
            **super().to_json(),
            "takes": list(map(str, self.takes)),
            "gives": str(self.gives),
            "options": {f.name: {"default": f.default, "help": f.help} for f in option_fields(self.Options)},
        }
