"""Honest files with bytes changed at random: the border answers with a format or in words, and never falls over."""

import io
import random
import zipfile
from pathlib import Path

import pytest

from core.domain.errors import Refused
from core.formats import recognise
from tests.formats.honest import HONEST

ROUNDS = 120


def mutated(data: bytes, dice: random.Random) -> bytes:
    """Change, insert or remove a few bytes."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 5, 20))):
        place = dice.randrange(len(changed) + 1)
        kind = dice.randrange(3)
        changed[place : place + (0, 1, dice.randrange(30))[kind]] = dice.randbytes((dice.randrange(9), 1, 0)[kind])
    return bytes(changed)


def mutated_inside(data: bytes, dice: random.Random) -> bytes:
    """Change one member of a zip, and keep the zip whole."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        chosen = dice.choice(old.namelist())
        for info in old.infolist():
            member = old.read(info.filename)
            new.writestr(info.filename, mutated(member, dice) if info.filename == chosen else member)
    return out.getvalue()


@pytest.mark.parametrize("name", HONEST)
def test_changed_bytes_end_in_an_answer(name: str, honest: dict[str, Path], tmp_path: Path) -> None:
    dice = random.Random(name)
    data = honest[name].read_bytes()
    for turn in range(ROUNDS):
        change = mutated_inside if data[:2] == b"PK" and turn % 3 else mutated
        path = tmp_path / f"{turn}"
        path.write_bytes(change(data, dice))
        try:
            format = recognise(path, name)
            if not any(risk.level == "refuse" for risk in format.audit(path)) and format.id != "ort":
                format.inspect(path)
                format.graph(path, tmp_path / "graph")
        except Refused:
            continue
