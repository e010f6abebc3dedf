"""Commands for whoever runs a server: backup, restore, doctor and audit. Each works on the home of ``PORTOLAN_HOME``."""

import argparse
import json
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.domain.codec import encode
from core.domain.home import default_home
from core.domain.limits import MB

Tell = Callable[[float | None, str], None]
Command = Callable[..., argparse.ArgumentParser]

MOMENT = "a date or time as in 2026-12-01T08:30, in UTC"
LACKING = "Files that rows name are gone or damaged in the home itself; `python -m core doctor` lists them."


@dataclass(frozen=True)
class Told:
    """What a command says: one object for programs, lines for people, and the exit code; without an object, the lines are for both."""

    value: dict[str, Any] | None
    lines: Iterable[str]
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
    history = command(name="audit", help="print who did what to which file and when, a JSON object a line")
    history.add_argument("--since", type=moment, default=0.0, metavar="DATE", help=MOMENT)
    history.add_argument("--until", type=moment, default=math.inf, metavar="DATE", help=MOMENT)
    history.set_defaults(operation=audit)
    look = command(name="doctor", help="look for what is wrong with this installation; 1 where something is")
    look.set_defaults(operation=doctor)


def backup(args: argparse.Namespace, tell: Tell) -> Told:
    """Copy the home; 3 where rows name files that were damaged before."""
    from core.memory.backup import back_up

    made = back_up(default_home(), args.out, tell, os.environ.get("PORTOLAN_BLOBS"))
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


def audit(args: argparse.Namespace, tell: Tell) -> Told:
    """Print the audit log from one moment to another, line by line as it is read."""
    from core.memory import audit as log

    entries = log.since(default_home(), args.since, args.until)
    return Told(None, (json.dumps({**encode(entry), "at": written(entry.at)}) for entry in entries))


def moment(text: str) -> float:
    """Read a date or a time as seconds since 1970; UTC unless it says otherwise."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date such as 2026-12-01 or 2026-12-01T08:30") from None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()


def written(seconds: float) -> str:
    """Write seconds since 1970 as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


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
