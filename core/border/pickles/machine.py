"""A pickle followed opcode by opcode on a stack of stand-ins: what it imports, calls and would build, with nothing built.

The stack keeps to the rules of Python's own ``pickle._Unpickler``; what those rules leave open is refused, so that the
loader cannot see another program than this one does. joblib writes the bytes of arrays between the opcodes: they are
passed over as joblib reads them, nested pickles of object arrays included.
"""

import codecs
import pickletools
import warnings
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from core.border.pickles.arrays import EDGE, Bytes, wrapped_bytes
from core.border.pickles.opcodes import HANDLERS, Argument
from core.border.pickles.streams import Stream
from core.border.pickles.values import Array, Built, Global, Stored, reconstructed
from core.domain.errors import Refused, first_line

MAX_OPCODES = 3_000_000
MAX_STRANGE = 20
MAX_TEXT = 256 << 20
"""A line of Python 2, which wrote arrays as text too."""
SAVE_OTHERWISE = "Save the model with skops, or its weights with safetensors."

OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
LITERALS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "STRING", "BINSTRING", "SHORT_BINSTRING"),
}
BREAKS = (ValueError, IndexError, KeyError, TypeError, OverflowError, RecursionError, DeprecationWarning)
"""What a broken pickle makes the walk raise."""
BYTES = {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
SILENT = {"PROTO", "FRAME", "STOP"}


@dataclass
class Trace:
    """What one pickle does: the names that it imports, the torch calls that it makes, what it builds, and what is out of order."""

    globals: dict[str, Global] = field(default_factory=dict)
    calls: list[Built] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    result: object = None
    protocol: int = 0
    opcodes: int = 0

    def note(self, what: str) -> None:
        """Add a finding that no honest pickle has."""
        if what not in self.strange and len(self.strange) < MAX_STRANGE:
            self.strange.append(what)


def trace(stream: Stream) -> Trace:
    """Follow one pickle, with joblib's arrays between its opcodes. Raises Refused when it is broken or cannot be followed."""
    found = Trace()
    Machine(stream, found, joblib=_read_joblib).run()
    return found


def opcodes_start(head: bytes) -> bool:
    """Say whether bytes begin like a pickle: a protocol mark, or at least two well-formed opcodes to the end or to the cut."""
    if head[:1] == b"\x80":
        return len(head) > 1 and 2 <= head[1] <= 5
    # Protocols 0 and 1 have no mark; these are the opcodes that their pickles begin with.
    if not head or head[:1] not in b"(c]}ldIFSVi":
        return False
    count, name = 0, ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            for opcode, _ in _opcodes(Stream(iter((head,)))):
                count, name = count + 1, opcode
    except (ValueError, Refused):
        return count > 50
    return name == "STOP" and count > 2


class Machine:
    """The stack, the marks and the memo of one unpickling."""

    def __init__(self, stream: Stream, found: Trace, joblib: "Callable[[Machine, Built], object] | None") -> None:
        self.stream = stream
        self.found = found
        self.joblib = joblib
        self.stack: list[object] = []
        self.marks: list[list[object]] = []
        self.memo: dict[int, object] = {}
        self.frame_end = 0
        self.protocol = 0

    def run(self) -> None:
        """Follow opcodes to STOP."""
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            self._follow()

    def _follow(self) -> None:
        try:
            for name, arg in _opcodes(self.stream):
                self.found.opcodes += 1
                if self.found.opcodes > MAX_OPCODES:
                    raise Refused(f"The pickle has more than {MAX_OPCODES:,} steps.", SAVE_OTHERWISE)
                self.step(name, arg)
        except BREAKS as error:
            raise Refused(f"The pickle is broken or cut off ({first_line(error)[:80]}).", SAVE_OTHERWISE) from None

    def step(self, name: str, arg: Argument) -> None:
        """Obey one opcode on stand-ins."""
        if name in LITERALS:
            self.stack.append(arg)
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in BYTES:
            self.stack.append(Bytes(len(arg), bytes(arg[:EDGE] + arg[-EDGE:])))
        elif name in SILENT:
            self._frame(name, arg)
        else:
            HANDLERS.get(name, Machine.unknown)(self, arg, name)

    def _frame(self, name: str, arg: Argument) -> None:
        if name == "PROTO":
            self.protocol = int(arg)
            self.found.protocol = max(self.found.protocol, self.protocol)
        elif name == "FRAME":
            # Python's own unpickler stops here too (pickle._Unframer.load_frame).
            if self.stream.position < self.frame_end:
                raise ValueError("contains a frame inside a frame")
            self.frame_end = self.stream.position + int(arg)
        else:
            self.found.result = self.stack[-1]

    def unknown(self, arg: Argument, name: str) -> None:
        """Note an opcode that no honest file of a model uses."""
        self.found.note(f"uses the opcode {name}, which the audit cannot follow")
        raise Refused(f"The pickle uses the opcode {name}, which the audit cannot follow.", SAVE_OTHERWISE)

    def import_name(self, module: object, name: object) -> None:
        """Record a name that would be imported."""
        if type(module) is not str or type(name) is not str:
            raise Refused("The pickle computes the name of what it imports.", SAVE_OTHERWISE)
        if self.protocol < 3:
            # Python 3 renames what Python 2 called otherwise (pickle, fix_imports): the lists must see the name that is
            # really imported.
            module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
        value = self.found.globals.setdefault(f"{module}.{name}", Global(module, name))
        self.stack.append(value)

    def call(self, callee: object, args: object) -> None:
        """Put the stand-in for a call's result on the stack."""
        if not isinstance(callee, Global):
            self.found.note("calls a function that it computed")
        built = reconstructed(callee, args) or Built(callee, args if isinstance(args, tuple) else (args,))
        if isinstance(callee, Global) and callee.module.startswith("torch"):
            self.found.calls.append(built)
        self.stack.append(built)

    def pop_mark(self) -> list[object]:
        """Return what lies above the last mark, and take it off."""
        items = self.stack
        self.stack = self.marks.pop()
        return items


def _opcodes(stream: Stream) -> Iterator[tuple[str, Argument]]:
    """Yield the opcodes to STOP with what stands behind each, as ``pickletools.genops`` does."""
    while True:
        code = stream.read(1)
        opcode = OPCODES.get(code.decode("latin-1"))
        if opcode is None:
            raise ValueError("no opcode where one must be" if code else "it ends before its last step")
        if opcode.name == "STRING":
            yield opcode.name, _python2_text(stream)
        else:
            yield opcode.name, opcode.arg.reader(stream) if opcode.arg else None  # type: ignore[arg-type]
        if opcode.name == "STOP":
            return


def _python2_text(stream: Stream) -> str:
    """Return a text as Python 2 wrote it, which may hold any bytes; pickletools takes only ASCII."""
    line = stream.readline(MAX_TEXT)
    if len(line) < 3 or line[:1] not in (b"'", b'"') or line[-2:] != line[:1] + b"\n":
        raise ValueError("a text without its quotation marks")
    return codecs.escape_decode(line[1:-2])[0].decode("latin-1")


def _read_joblib(m: Machine, wrapper: Built) -> Array:
    """Pass over the array that joblib wrote behind this opcode."""
    if m.stream.position < m.frame_end:
        raise Refused("An array is inside a frame of the pickle, where joblib would not read it.", SAVE_OTHERWISE)
    array, padded = wrapped_bytes(wrapper)
    if array.kind == "O":
        # joblib stores an array of objects as a pickle of its own, which plain pickle.load reads back
        # (NumpyArrayWrapper).
        inner = Machine(m.stream, m.found, joblib=None)
        inner.run()
        return Array(array.shape, array.dtype, inner.found.result)
    # One byte tells how many more are there to align the array, so that it can be mapped
    # (NumpyArrayWrapper.write_array).
    pad = m.stream.read(1)[0] if padded else 0
    if m.stream.skip(pad) != pad or m.stream.skip(array.nbytes) != array.nbytes:
        raise Refused("An array in the file is cut off.", "Download or save it again.")
    return array
