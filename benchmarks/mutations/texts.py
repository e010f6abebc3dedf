"""Changes of JSON, XML and lines of text, by their values, names and order."""

import json
import random
import re
from typing import Any

from benchmarks.mutations.bait import Bait
from benchmarks.mutations.raw import EXTREMES, SHORT, times

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
QUOTED = re.compile(rb'"[^"<>\n]*"')
ELEMENT = re.compile(rb"<(\w+)[^<>]*/>|<(\w+)[^<>]*>[^<]*</\2>")


def hot(bait: Bait, dice: random.Random) -> str:
    """Return a text that careless code would follow, or choke on."""
    return dice.choice(
        (str(bait.written), str(bait.secret), f"file://{bait.secret}", bait.url, "../" * 12 + str(bait.secret)[1:], "/etc/passwd",
         "os.system", "builtins.eval", "__import__('os').system('id')", "\ud800", "\x1b]0;title\x07", "\u202e", "\0", "", "%s%n", "A" * 70_000, "NaN", "1e999"),
    )  # fmt: skip


def text(bait: Bait, dice: random.Random) -> bytes:
    """Return a hot text as bytes, in UTF-8 as far as it is any."""
    return hot(bait, dice).encode(errors="surrogatepass")


def value(bait: Bait, dice: random.Random) -> Any:
    """Return a value that JSON can say and few expect."""
    deep: Any = []
    for _ in range(dice.choice((3, 400))):
        deep = [deep]
    return dice.choice((dice.choice(EXTREMES), hot(bait, dice), None, deep, {}, True, 1e308, float("nan"), [-1] * 50))


def places(root: Any) -> list[tuple[Any, Any]]:
    """Return every container with each of its keys."""
    found, left = [], [root]
    while left:
        one = left.pop()
        pairs = one.items() if isinstance(one, dict) else enumerate(one) if isinstance(one, list) else ()
        for key, inner in pairs:
            found.append((one, key))
            left.append(inner)
    return found


def json_changed(data: bytes, dice: random.Random, bait: Bait) -> bytes:
    """Change one value, name or element of a JSON document."""
    root = json.loads(data)
    found = places(root)
    if not found:
        return json.dumps(value(bait, dice)).encode()
    where, key = dice.choice(found)
    act = dice.randrange(5)
    if act == 0:
        where[key] = value(bait, dice)
    elif act == 1:
        del where[key]
    elif act == 2:
        other, name = dice.choice(found)
        where[key] = json.loads(json.dumps(other[name] if not isinstance(other, dict) or name in other else None))
    elif act == 3 and isinstance(where, dict):
        where[hot(bait, dice)] = where.pop(key)
    elif isinstance(where[key], int | float):
        where[key] = -where[key] - 1
    else:
        where[key] = [where[key]] * times(len(json.dumps(where[key])), dice)
    return json.dumps(root).encode()


def xml_changed(data: bytes, dice: random.Random, bait: Bait) -> bytes:
    """Change an attribute, an element or the head of an XML document."""
    act = dice.randrange(5)
    if act == 0:
        entity = dice.choice((f'SYSTEM "file://{bait.secret}"', f'SYSTEM "{bait.url}"', '"&b;&b;"')).encode()
        head = b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 99 + b'"><!ENTITY a ' + entity + b">]>"
        return data.replace(b"?>", b"?>" + head, 1) if b"?>" in data[:200] else head + data
    found = list((QUOTED if act < 3 else ELEMENT).finditer(data))
    if not found:
        return line_changed(data, dice, bait)
    one = dice.choice(found)
    if act < 3:
        new = dice.choice((str(dice.choice(EXTREMES)).encode(), text(bait, dice), dice.choice(found)[0][1:-1]))
        return data[: one.start()] + b'"' + new + b'"' + data[one.end() :]
    return data[: one.start()] + one[0] * times(len(one[0]), dice) + data[one.end() :]


def line_changed(data: bytes, dice: random.Random, bait: Bait) -> bytes:
    """Change a number, or lose, say twice or move a line."""
    found = list(NUMBER.finditer(data))
    if found and dice.random() < 0.6:
        one = dice.choice(found)
        new = dice.choice((str(dice.choice(EXTREMES)).encode(), b"nan", b"-inf", b"1e999", text(bait, dice), b""))
        return data[: one.start()] + new + data[one.end() :]
    lines = data.split(b"\n")
    place = dice.randrange(len(lines))
    line = lines[place]
    lines[place : place + 1] = dice.choice(
        ([line] * times(len(line), dice), [text(bait, dice)], [dice.choice(lines)] if len(line) < SHORT else [])
    )
    return b"\n".join(lines)
