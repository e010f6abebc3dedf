"""The stand-ins that lie on the stack where an unpickler would have objects."""

import math
from dataclasses import dataclass, field

KEEP = 100_000
"""How many items of one container are kept; the rest is followed, not held."""

WRAPPERS = {"joblib.numpy_pickle.NumpyArrayWrapper", "sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper"}
"""joblib's note before the bytes of an array, also as the copy of joblib inside scikit-learn before 0.23 was called."""


@dataclass(frozen=True)
class Global:
    """A class or function that would be imported."""

    module: str
    name: str

    @property
    def path(self) -> str:
        """The dotted name."""
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Built:
    """What calling something with arguments would give, with the state, items and values that are put in later."""

    callee: object
    args: tuple[object, ...] = ()
    state: object = None
    items: dict[object, object] = field(default_factory=dict)
    values: list[object] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The dotted name of the class or function, or nothing when it was computed."""
        return self.callee.path if isinstance(self.callee, Global) else ""


@dataclass(frozen=True, eq=False)
class Stored:
    """Something kept outside the pickle, by its persistent id."""

    id: object


@dataclass(frozen=True, eq=False)
class Array:
    """A NumPy array by its shape and dtype code (``f8``, ``U5``, ``O``); ``items`` holds what an object array was built from."""

    shape: tuple[int, ...]
    dtype: str
    items: object = None

    @property
    def kind(self) -> str:
        """The letter of the dtype."""
        return self.dtype[:1]

    @property
    def count(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The bytes that the elements take."""
        return self.count * itemsize(self.dtype)


def itemsize(code: str) -> int:
    """Return the bytes of one element of a dtype code such as ``f8`` or ``U5``. Raises ValueError for no such code."""
    kind, size = code[:1], code[1:]
    if kind not in "?bBiufcmMSUVO" or not size.isdecimal() or len(size) > 9:
        raise ValueError(f"no dtype {code[:20]!r}")
    return int(size) * (4 if kind == "U" else 1)


def is_wrapper(built: Built) -> bool:
    """Say whether this is joblib's note that the bytes of an array follow."""
    return built.path in WRAPPERS


def reconstructed(callee: object, args: object) -> Built | None:
    """Return the stand-in of the object that ``copyreg._reconstructor`` would build, or None for another call."""
    if not isinstance(callee, Global) or callee.path != "copyreg._reconstructor":
        return None
    if isinstance(args, tuple) and args and isinstance(args[0], Global):
        return Built(args[0], args[1:])
    return None
