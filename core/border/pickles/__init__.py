"""Pickles read as what they are, programs: every opcode is followed, none is obeyed, and each name that would be imported is listed.

``trace`` follows one pickle on a stack of stand-ins and returns what it would build; ``streams`` opens the ways in which
pickles are packed; ``allowlists`` says which names belong to weights and to scikit-learn models.
A scanner with a list of bad names misses the next one; here a name that is on no list of good ones ends the story.
"""

from core.border.pickles.allowlists import off_list, sklearn_allows, sklearn_lost, torch_allows
from core.border.pickles.machine import Trace, opcodes_start, trace
from core.border.pickles.streams import Stream, open_pickle, unpacked_head
from core.border.pickles.values import Array, Built, Global, Stored

__all__ = [
    "Array",
    "Built",
    "Global",
    "Stored",
    "Stream",
    "Trace",
    "off_list",
    "opcodes_start",
    "open_pickle",
    "sklearn_allows",
    "sklearn_lost",
    "torch_allows",
    "trace",
    "unpacked_head",
]
