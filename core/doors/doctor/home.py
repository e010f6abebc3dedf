"""The home: can it be written, has it room, is its database sound, and are the files there that rows name."""

import fcntl
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from core.domain.errors import NotFound, PortolanError, first_line
from core.doors.doctor import Complaint, Place, Tell, fault, note
from core.memory import pairing
from core.memory.backup import check_whole
from core.memory.blobs import GB, Blobs
from core.memory.cached_blobs import OWNER, bucket_of, stored
from core.memory.database import in_words
from core.memory.migrations import check_age, readable
from core.memory.named import lasting
from core.memory.standing import damage, newest

TIGHT_GB = 5
LATE_SECONDS = 3600.0
LISTED = 5


def writable(place: Place, tell: Tell) -> Iterator[Complaint]:
    """The folder can be made, or be written by this user, and nobody else looks into it."""
    home = place.home
    nearest = next(folder for folder in (home, *home.absolute().parents) if folder.exists())
    if not nearest.is_dir():
        yield fault(f"{nearest} is a file, so PORTOLAN_HOME cannot be there.", "Set PORTOLAN_HOME to a folder.")
    else:
        try:
            tempfile.TemporaryFile(dir=nearest).close()  # rights alone do not tell of file systems that take nothing
        except OSError as error:
            yield fault(
                f"The folder {home} cannot be written by this user: {error.strerror or first_line(error)}.",
                "Let the user who runs Portolan write there, or set PORTOLAN_HOME to another folder.",
            )
    if home.is_dir():
        check_whole(home)
        for path in (home, home / "portolan.db", home / "links.key"):
            if path.exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                yield fault(f"Other users of this machine may open {path}.", f"Run: chmod go= {path}")


def room(place: Place, tell: Tell) -> Iterator[Complaint]:
    """The disk has more than the reserve free, and the quota is above what is stored."""
    home = next(folder for folder in (place.home, *place.home.absolute().parents) if folder.exists())
    free = shutil.disk_usage(home).free
    if free <= place.reserve_bytes:
        yield fault(
            f"The disk of {place.home} is nearly full: {free / GB:.2f} GB are free, and {place.reserve_bytes / GB:,.0f} GB are kept in reserve.",
            "Free space there, or set PORTOLAN_HOME to a larger disk.",
        )
    elif free <= TIGHT_GB * GB:
        yield note(f"The disk of {place.home} has {free / GB:.1f} GB left.", "Plan for more room.")
    used = Blobs(place.home / "blobs").used if (place.home / "blobs").is_dir() else 0
    quota = place.environment.get("PORTOLAN_QUOTA_GB", "")
    if quota and used > float(quota) * GB:
        yield fault(
            f"The stored files take {used / GB:.2f} GB, and PORTOLAN_QUOTA_GB allows {quota}: nothing new can be stored.",
            "Raise the quota, or remove models.",
        )


def database(place: Place, tell: Tell) -> Iterator[Complaint]:
    """The database is whole, not newer than this program, and of the files beside it."""
    if not (place.home / "portolan.db").exists():
        return
    with _opened(place.home) as db:
        with in_words():
            problem = damage(db)
        if problem:
            yield fault(
                f"The database portolan.db is damaged: {problem}.", "Restore the latest backup into a new home."
            )
            return
        check_age(db)
        if (place.home / "blobs" / pairing.FILE).exists() and db["identity"].exists():
            try:
                pairing.check(db, place.home / "blobs")
            except PortolanError as error:
                yield fault(error.message, error.next_step)


def blobs(place: Place, tell: Tell) -> Iterator[Complaint]:
    """Every file that a row names is there, and its bytes have their hash."""
    if not (place.home / "portolan.db").exists():
        return
    with _opened(place.home) as db:
        check_age(db)
        names = sorted(lasting(db)) if db["share"].exists() else []
    bad = [f"{sha256[:12]} {state}" for sha256, state in _states(place, names, tell) if state]
    if bad:
        more = f", and {len(bad) - LISTED} more" if len(bad) > LISTED else ""
        yield fault(
            f"{len(bad)} of {len(names)} files that rows name are not as they were: {', '.join(bad[:LISTED])}{more}.",
            "Restore a backup into a new home, or bring those models again.",
        )


def bucket(place: Place, tell: Tell) -> Iterator[Complaint]:
    """The place of PORTOLAN_BLOBS takes files and gives them back, belongs to this database, and has what its rows name."""
    if not (url := place.environment.get("PORTOLAN_BLOBS")):
        return
    found, probe = bucket_of(url), f"doctor-{secrets.token_hex(8)}.part"
    found.write(probe, probe)
    if found.text(probe) != probe:
        yield fault(f"{found.url} does not give back what was written there.", "Set PORTOLAN_BLOBS to another place.")
    found.drop(probe)
    if not (place.home / "portolan.db").exists():
        return
    with _opened(place.home) as db:
        check_age(db)
        mine, names = pairing.name(db), lasting(db)
    if (owner := found.text(OWNER)) not in (None, mine):
        yield fault(
            f"The files in {found.url} belong to the database {owner}, and not to this one, so no server starts.",
            "Put portolan.db back from a backup if it was lost or replaced, or set PORTOLAN_BLOBS to another folder.",
        )
    elif lacking := names - found.files().keys():
        yield note(
            f"{len(lacking)} of {len(names)} files that rows name are not in {found.url}.",
            "The server brings those that it has a minute after its start, and every hour.",
        )


def clock(place: Place, tell: Tell) -> Iterator[Complaint]:
    """The clock is not behind what was written already."""
    if not (place.home / "portolan.db").exists():
        return
    with _opened(place.home) as db:
        behind = newest(db) - time.time()
    if behind > LATE_SECONDS:
        yield fault(
            f"This machine's clock is {behind / 3600:,.0f} hours behind the newest row of the database.",
            "Set the clock (for example by NTP) before the server is started: links and retention follow it.",
        )


def running(home: Path) -> bool:
    """Say whether a server has the home open."""
    try:
        with (home / "portolan.server").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _states(place: Place, names: list[str], tell: Tell) -> Iterator[tuple[str, str]]:
    """Yield each blob with what is wrong about it, or nothing."""
    blobs = stored(place.home / "blobs", place.environment.get("PORTOLAN_BLOBS"))
    for number, sha256 in enumerate(names):
        if number % max(100, len(names) // 20) == 0:
            tell(None, f"Reading file {number + 1} of {len(names)}")
        try:
            blobs.verify(sha256)
            yield sha256, ""
        except NotFound:
            yield sha256, "is missing"
        except (PortolanError, OSError):
            yield sha256, "has other bytes"


def _opened(home: Path) -> Any:
    return closing(readable(home / "portolan.db"))
