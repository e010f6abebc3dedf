"""Pickled scikit-learn models, by pickle or joblib, compressed or not: programs, so that their owner must agree first."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from core.border import pickles
from core.border.pickles import Array, Built, Global, Trace
from core.border.pickles.arrays import Bytes, array_of
from core.domain.errors import Refused
from core.domain.format import Format, Risk, Summary, Surroundings
from core.formats.anatomy import estimator
from core.formats.anatomy.estimator import StoredArray, StoredObject
from core.formats.anatomy.torch_files import LEGACY

CONSENT = "This file is a program: it is loaded only in the sandbox, and only with your consent. It refers only to parts of scikit-learn, NumPy and boosted-tree libraries."
NEXT = "Ask the author for a skops or ONNX file, or save the model again without these parts."

MAX_REST = 1 << 40
SHOWN = 20
APART = {f"{home}.numpy_pickle.{kind}" for home in ("joblib", "sklearn.externals.joblib") for kind in ("NDArrayWrapper", "ZNDArrayWrapper")}  # fmt: skip
"""How joblib before 0.10 noted arrays that it wrote into files of their own."""
OLD_JOBLIB = {*APART, "sklearn.externals.joblib.numpy_pickle.NumpyArrayWrapper"}


class Pickle(Format):
    """A stream of opcodes; each name that it imports is on the list, or the file is refused."""

    title = "scikit-learn (pickle, joblib)"
    sentence = "A fitted scikit-learn model as a pickle: opened only with its owner's consent, best converted to skops or ONNX."
    suffixes = (".pkl", ".pickle", ".joblib")
    runs_in = Surroundings.PYTHON
    code_bearing = True

    def match(self, head: bytes, names: tuple[str, ...], name: str) -> bool:
        """Say whether the bytes, unpacked if they are compressed, begin with a pickle's opcodes; torch's legacy files are another kind."""
        return not names and not head.startswith(LEGACY) and pickles.opcodes_start(pickles.unpacked_head(head))

    def check(self, path: Path) -> Iterator[Risk]:
        """Follow every opcode and list every name."""
        trace = _trace(path)
        if off := pickles.off_list(trace.globals.values(), pickles.sklearn_allows):
            raise _off_list(off, trace)
        if trace.stored:
            raise Refused("The pickle refers to objects stored elsewhere.", NEXT)
        if trace.strange:
            raise Refused(f"The pickle {trace.strange[0]}, which no genuine model does.", NEXT)
        if not trace.globals:
            raise Refused(
                "The pickle contains plain values, not a model.", "Open the file that contains the fitted estimator."
            )
        yield Risk("consent", CONSENT, f"{len(trace.globals)} names, {trace.opcodes:,} steps")

    def inspect(self, path: Path) -> Summary:
        """Read the fitted model from the opcodes, with nothing imported or built."""
        return estimator.summary(self.id, TreeBuilder().value(_trace(path).result))


def _off_list(off: Sequence[Global], trace: Trace) -> Refused:
    """Name what no model needs, or else all that an older scikit-learn called otherwise."""
    foreign = [name for name in off if not (pickles.sklearn_lost(name) or name.path in OLD_JOBLIB)]
    if foreign:
        return Refused(f"Loading this file would use {_listed(foreign, 3)}, which no scikit-learn model needs.", NEXT)
    version = estimator.version(TreeBuilder().value(trace.result))
    writer = f"scikit-learn {version}" if version else "another, probably much older scikit-learn"
    apart = any(name.path in APART for name in off)
    return Refused(
        f"The file is sound, but was saved by {writer}, and the scikit-learn installed here no longer has {_listed(off, SHOWN)}."
        + (" Its arrays are in files of their own beside it (.npy)." if apart else ""),
        f"Open it where {'that version' if version else 'the version that saved it'} is installed, and write it as ONNX "
        "there (skl2onnx); or fit the model again.",
    )


def _listed(names: Sequence[Global], shown: int) -> str:
    return ", ".join(name.path[:80] for name in names[:shown]) + (
        f" and {len(names) - shown} more" if len(names) > shown else ""
    )


def _trace(path: Path) -> Trace:
    with pickles.open_pickle(path) as stream:
        trace = pickles.trace(stream)
        if stream.skip(MAX_REST):
            raise Refused("The file continues after the end of its pickle.", NEXT)
        return trace


class TreeBuilder:
    """Turns the stand-ins of a trace into the tree of a fitted model; each stand-in once."""

    def __init__(self) -> None:
        self._made: dict[int, object] = {}

    def value(self, item: object) -> object:
        """Return the thing, table, list or plain value for a stand-in."""
        if not isinstance(item, Built | Array | dict | list | tuple):
            return item if isinstance(item, str | int | float | Bytes) else None
        if id(item) not in self._made:
            self._make(item)
        return self._made[id(item)]

    def _make(self, item: object) -> None:
        array = array_of(item)
        if array is not None:
            items = [self.value(part) for part in _flat(array.items)] if array.items is not None else None
            self._made[id(item)] = StoredArray(array.shape, array.dtype, items)
        elif isinstance(item, Built) and item.path == "builtins.bytearray":
            self._made[id(item)] = self.value(item.args[0]) if item.args else None
        elif isinstance(item, Built):
            thing = self._made[id(item)] = StoredObject(item.path)
            state = item.state if isinstance(item.state, dict) else {}
            thing.attributes.update({str(key): self.value(part) for key, part in {**item.items, **state}.items()})
        elif isinstance(item, dict):
            table: dict[str, object] = {}
            self._made[id(item)] = table
            table.update({str(key): self.value(part) for key, part in item.items()})
        elif isinstance(item, list | tuple):
            parts: list[object] = []
            self._made[id(item)] = parts
            parts.extend(self.value(part) for part in item)


def _flat(items: object) -> Sequence[object]:
    """Return the list of elements of an object array, which joblib keeps in a pickle of its own."""
    inner = array_of(items) if isinstance(items, Built) else None
    found = inner.items if inner else items
    return found if isinstance(found, list | tuple) else ()


FORMAT = Pickle()
