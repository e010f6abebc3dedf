"""From the numbers that a model gives to what they mean: a text, for one that reads."""

from typing import Any, ClassVar

from core.domain.shelf import Entry
from core.domain.transform import NoOptions, option_fields


class Decoding(Entry):
    """Turns the outputs of a model into answers that can be compared with labels; runs in the sandboxed worker."""

    Options: ClassVar[type] = NoOptions

    def apply(self, outputs: list[Any], options: Any) -> Any:
        """Return one answer for each sample, an array [n], of output arrays [n, ...]. Raises Refused where they cannot be decoded."""
        raise NotImplementedError

    def code(self) -> str | None:
        """Return the body of a Python function of ``outputs`` and ``options`` that does what ``apply`` does.

        ``outputs`` are arrays in the order of the model, ``options`` has every option by name. It may use ``np`` and
        raise ``BadInput``. None where no such code is written.
        """
        return None

    def to_json(self) -> dict[str, Any]:
        """Return the table row with its options."""
        declared = {f.name: {"default": f.default, "help": f.help} for f in option_fields(self.Options)}
        return {**super().to_json(), "options": declared}
