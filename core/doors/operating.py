"""Commands for whoever runs a server: backup, restore and doctor. Each works on the home of ``PORTOLAN_HOME``."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.domain.codec import encode
from core.domain.home import default_home
from core.domain.limits import MB

Tell = Callable[[float | None, str], None]
Command = Callable[..., argparse.ArgumentParser]

LACKING = "Files that rows name are gone or damaged in the home itself; `python -m core doctor` lists them."


@dataclass(frozen=True)
class Told:
    """What a command says: one object for programs, lines for people, and the exit code."""

    value: dict[str, Any]
    lines: tuple[str, ...]
    code: int = 0


def declare(command: Command) -> None:
    """Add the commands; ``command(name=, help=)`` makes one."""
    save = command(
        name="backup", help="copy the home to a new folder or .zip, also while the server runs, and check it"
    )
    save.add_argument("out", type=Path, metavar="FILE.zip|FOLDER", help="must not exist yet")
    save.set_defaults(operation=backup)
    back = command(name="restore", help="put a backup into an empty PORTOLAN_HOME")
    back.add_argument("backup", type=Path, metavar="FILE.zip|FOLDER")
    back.add_argument("--check", action="store_true", help="only read the backup and compare every hash")
    back.set_defaults(operation=restore)
    look = command(name="doctor", help="look for what is wrong with this installation; 1 where something is")
    look.set_defaults(operation=doctor)


def backup(args: argparse.Namespace, tell: Tell) -> Told:
    """Copy the home; 3 where rows name files that were damaged before."""
    from core.memory.backup import back_up

    made = back_up(default_home(), args.out, tell)
    return _told(
        made, f"{args.out} holds the database and {made.blobs:,} files ({made.bytes / MB:,.1f} MB), each read again."
    )


def restore(args: argparse.Namespace, tell: Tell) -> Told:
    """Put a backup into the home, or only read it; 3 where it lacks files that rows name."""
    from core.memory import backup

    if args.check:
        found = backup.check(args.backup, tell)
        return _told(found, f"{args.backup} is whole: {found.blobs:,} files ({found.bytes / MB:,.1f} MB).")
    home = default_home()
    found = backup.restore(args.backup, home, tell)
    return _told(
        found, f"{home} holds {found.blobs:,} files ({found.bytes / MB:,.1f} MB), each compared with its hash."
    )


def doctor(args: argparse.Namespace, tell: Tell) -> Told:
    """Make every check and say each finding with its next step."""
    from core.doors.doctor import FAULT, Place, examine
    from core.doors.doctor.checks import CHECKS

    found = examine(Place(), CHECKS, tell)
    faults = sum(one.level == FAULT for one in found)
    lines = [f"{one.level}, {one.check}: {one.message} {one.next_step}" for one in found]
    value = {"faults": faults, "checks": list(CHECKS), "findings": encode(found)}
    said = f"{len(CHECKS)} checks, {faults or 'no'} fault{'s' if faults != 1 else ''}."
    return Told(value, (*lines, said), 1 if faults else 0)


def _told(manifest: Any, sentence: str) -> Told:
    if not manifest.lacking:
        return Told(encode(manifest), (sentence,))
    return Told(encode(manifest), (sentence, f"{len(manifest.lacking)} are lacking. {LACKING}"), 3)
