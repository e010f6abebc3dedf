"""Changes of a pickle by its operations."""

import io
import itertools
import pickletools
import random

from benchmarks.mutations.bait import Bait
from benchmarks.mutations.raw import times
from benchmarks.mutations.texts import text

CALLS = (
    "posix system",
    "builtins eval",
    "subprocess check_call",
    "builtins open",
    "shutil copy",
    "pathlib Path.touch",
    "socket create_connection",
)


def operations(data: bytes) -> tuple[list[bytes], bytes]:
    """Return the operations of the first pickle, without frames, and what follows it. Raises ValueError where it is none."""
    stream = io.BytesIO(data)
    starts = [(place or 0, op.name) for op, _, place in pickletools.genops(stream)]
    end = stream.tell()
    edges = [place for place, _ in starts] + [end]
    parts = [data[begin:stop] for begin, stop in itertools.pairwise(edges)]
    return [part for part, (_, name) in zip(parts, starts, strict=True) if name != "FRAME"], data[end:]


def call(bait: Bait, dice: random.Random) -> bytes:
    """Return operations that call something with the path of the bait, and drop the answer."""
    module, name = dice.choice(CALLS).split()
    argument = dice.choice(
        (f"touch {bait.written}", str(bait.written), f"open({str(bait.written)!r}, 'w')", str(bait.secret))
    )
    return f"c{module}\n{name}\n(V{argument}\ntR0".encode()


def pickle_changed(data: bytes, dice: random.Random, bait: Bait) -> bytes:
    """Lose, repeat, exchange or add an operation, or change a text of one."""
    parts, rest = operations(data)
    place, act = dice.randrange(max(1, len(parts) - 1)), dice.randrange(6)
    if act == 0:
        parts[place : place + 1] = [parts[place]] * times(len(parts[place]), dice)
    elif act == 1:
        other = dice.randrange(max(1, len(parts) - 1))
        parts[place], parts[other] = parts[other], parts[place]
    elif act in (2, 3):
        parts.insert(max(1, place), call(bait, dice))
    elif act == 4:
        new = text(bait, dice).replace(b"\n", b"") + b"\n"
        parts.insert(max(1, place), b"V" + new + dice.choice((b"", b"0", b"\x85R", b"Q", b"\x93", b"b")))
    else:
        parts.insert(
            max(1, place),
            dice.choice(
                (
                    b"R",
                    b"b",
                    b"\x93",
                    b"o",
                    b"\x81",
                    b"0",
                    b"(",
                    b"t",
                    b"Q",
                    b"h\xff",
                    b"\x8b\xff\xff\xff\x7f",
                    b"\x82\x01",
                )
            ),
        )
    return b"".join(parts) + rest
