"""Read the text that a network trained with CTC writes: the best character of each step, repetitions and blanks left out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.domain.decoding import Decoding
from core.domain.errors import Refused
from core.domain.transform import option

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class CtcOptions:
    """What the classes stand for."""

    alphabet: str = option("", "The characters in the order of the classes, one to a line, without the blank.")
    blank: str = option("first", "Where the class stands that means nothing.", choices=("first", "last"))
    strip: bool = option(True, "Leave out spaces at both ends.")


class Ctc(Decoding):
    """Best path decoding (Graves et al. 2006, doi:10.1145/1143844.1143891, section 3.2)."""

    title = "Read text (CTC)"
    sentence = "Takes the best character of each step, without repetitions and blanks."
    Options = CtcOptions

    def apply(self, outputs: "list[np.ndarray]", options: CtcOptions) -> "np.ndarray":
        """Return the texts [n] of the first output of scores [n, steps, classes]. Raises Refused where the alphabet has another length."""
        import numpy as np

        scores = next((one for one in outputs if one.dtype.kind == "f" and one.ndim == 3), None)
        if scores is None:
            raise Refused("The model gives no scores [samples, steps, classes].", "Choose another decoding.")
        symbols = np.array(options.alphabet.split("\n"), dtype=object)
        if len(symbols) + 1 != scores.shape[2]:
            raise Refused(
                f"The alphabet has {len(symbols):,} characters, and the model {scores.shape[2] - 1:,} classes beside the blank.",
                "Give one character to a line, in the order of the classes.",
            )
        best = scores.argmax(axis=2)
        blank, offset = (0, 1) if options.blank == "first" else (len(symbols), 0)
        new = np.concatenate([np.ones((len(best), 1), bool), best[:, 1:] != best[:, :-1]], axis=1)
        kept = new & (best != blank)
        texts = ["".join(symbols[row[keep] - offset]) for row, keep in zip(best, kept, strict=True)]
        return np.array([text.strip(" ") if options.strip else text for text in texts], np.str_)

    def code(self) -> str:
        """Return the same for a package."""
        return """\
scores = next(one for one in outputs if one.dtype.kind == "f" and one.ndim == 3)
symbols = np.array(options["alphabet"].split("\\n"), dtype=object)
best = scores.argmax(axis=2)
blank, offset = (0, 1) if options["blank"] == "first" else (len(symbols), 0)
new = np.concatenate([np.ones((len(best), 1), bool), best[:, 1:] != best[:, :-1]], axis=1)
kept = new & (best != blank)
texts = ["".join(symbols[row[keep] - offset]) for row, keep in zip(best, kept, strict=True)]
return [text.strip(" ") if options["strip"] else text for text in texts]
"""


DECODING = Ctc()
