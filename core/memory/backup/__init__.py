"""Copies of a home that are made while its server works: the database as it stood at one moment, and every blob that it names.

SQLite copies the database page by page within one read, which no writer waits for; sweeps wait until the blobs are
copied, and what is added meanwhile belongs to the next backup. The manifest comes last and the whole gets its name last,
so an interrupted backup is never taken for one. Every byte is read again, and its hash compared, before that name is given.
"""

import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path

from core.domain.codec import Malformed, decode, encode
from core.domain.errors import NotFound, Refused, first_line
from core.memory.backup.places import Place, copy, reading, writing
from core.memory.blobs import Blobs, synchronise
from core.memory.cached_blobs import stored
from core.memory.database import in_words
from core.memory.migrations import connect, prepare, readable
from core.memory.named import kept, lasting, staying

MANIFEST, DATABASE = "manifest.json", "portolan.db"
MARK = "portolan.restoring"
"""Stands in a home as long as it is not restored whole."""
ANOTHER = "Use another backup."

Tell = Callable[[float | None, str], None]


@dataclass(frozen=True)
class Manifest:
    """What a backup holds: SHA-256 of the database, number and bytes of blobs, seconds since 1970.

    ``lacking`` are blobs that rows name and that were gone or damaged in the home itself.
    """

    database: str
    blobs: int
    bytes: int
    made: float
    lacking: tuple[str, ...] = ()


def back_up(home: Path, out: Path, tell: Tell, elsewhere: str | None = None) -> Manifest:
    """Copy a home to a new folder or zip, its files from the URL ``elsewhere`` where they are kept there, and read it again.

    Raises Refused, Unavailable for a database of a newer program or a bucket that is down.
    """
    if not (home / DATABASE).is_file():
        raise Refused(f"There is no database in {home}.", "Set PORTOLAN_HOME to the folder of the server.")
    if out.resolve().is_relative_to(home.resolve()):
        raise Refused("The backup would lie inside the folder that it is of.", "Choose another folder or disk.")
    with writing(out, lambda part: check(part, tell)) as place, staying(home):
        with _snapshot(home / DATABASE) as file:
            with file.open("rb") as source, place.create(DATABASE) as into:
                database, _ = copy(source, into)
            named, must = _named(file)
        manifest = _copy_blobs(place, stored(home / "blobs", elsewhere), database, named, must, tell)
        with place.create(MANIFEST) as into:
            into.write(json.dumps(encode(manifest)).encode())
    return manifest


def check(backup: Path, tell: Tell) -> Manifest:
    """Read a backup whole and return its manifest. Raises Refused where any of it is missing or changed."""
    with reading(backup) as place, _database(place) as (manifest, file):
        named, must = _named(file)
        for sha256 in _each(named - set(manifest.lacking), "Reading it again", tell):
            _hold(_same(place, sha256), sha256, must)
    return manifest


def restore(backup: Path, home: Path, tell: Tell) -> Manifest:
    """Put a backup into an empty folder, every byte compared with its hash. Raises Refused, OverLimit.

    An interrupted restore leaves a mark, with which no server opens the folder; restoring again goes on there.
    """
    _empty(home)
    with reading(backup) as place, _database(place) as (manifest, file):
        named, must = _named(file)
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        home.chmod(0o700)
        (home / MARK).touch()
        blobs = Blobs(home / "blobs", reserve_bytes=0)
        for sha256 in _each(named - set(manifest.lacking), "Restoring", tell):
            _hold(blobs.has(sha256) or _put(place, blobs, sha256), sha256, must)
        _settle(file, home)
    return manifest


def check_whole(home: Path) -> None:
    """Raise Refused for a folder into which a backup was restored in part."""
    if (home / MARK).exists():
        raise Refused(
            f"A backup was restored into {home} only in part.",
            "Run `python -m core restore` again with the same backup, or remove the folder.",
        )


def blob_name(sha256: str) -> str:
    """Return the name of a blob in a backup, which is its place in a home."""
    return f"blobs/objects/{sha256[:2]}/{sha256[2:]}"


def _copy_blobs(place: Place, blobs: Blobs, database: str, named: set[str], must: set[str], tell: Tell) -> Manifest:
    lacking, count, total = [], 0, 0
    for sha256 in _each(named, "Copying", tell):
        try:
            found, size = _copied(place, blobs, sha256)
        except NotFound:
            found, size = "", 0
        if found == sha256:
            count, total = count + 1, total + size
        elif found or sha256 in must:
            lacking.append(sha256)
    return Manifest(database, count, total, time.time(), tuple(sorted(lacking)))


def _copied(place: Place, blobs: Blobs, sha256: str) -> tuple[str, int]:
    with blobs.reading(sha256) as source, place.create(blob_name(sha256)) as into:
        return copy(source, into)


@contextmanager
def _snapshot(database: Path) -> Iterator[Path]:
    """Copy a database that others may be writing. Raises Unavailable for a damaged one, or one of a newer program."""
    with tempfile.TemporaryDirectory(prefix="portolan-backup-") as folder:
        file = Path(folder, DATABASE)
        with in_words(), closing(readable(database)) as live, closing(sqlite3.connect(file)) as still:
            live.conn.backup(still)
            still.execute("PRAGMA journal_mode=DELETE")
        yield file


@contextmanager
def _database(place: Place) -> Iterator[tuple[Manifest, Path]]:
    """Read the manifest of a backup, and copy its database out. Raises Refused where one is missing or not as it was."""
    with tempfile.TemporaryDirectory(prefix="portolan-backup-") as folder:
        file = Path(folder, DATABASE)
        try:
            with place.open(MANIFEST) as source:
                manifest = decode(Manifest, json.load(source))
            with place.open(DATABASE) as source, file.open("wb") as into:
                found, _ = copy(source, into)
        except KeyError as error:
            raise Refused(f"This is no whole backup: {error.args[0]} is missing.", ANOTHER) from None
        except (Malformed, ValueError) as error:
            raise Refused(f"This is no backup that this Portolan can read: {first_line(error)}.", ANOTHER) from None
        if found != manifest.database:
            raise Refused("The database in this backup is damaged: its bytes do not match its SHA-256.", ANOTHER)
        yield manifest, file


def _named(database: Path) -> tuple[set[str], set[str]]:
    """Return the blobs that a copied database names, and those of them that must be there.

    Read from a second copy with the tables of today, so that a home can be saved between an update and the first start.
    Raises Refused or Unavailable for one that is damaged or of a newer program.
    """
    today = database.with_name("today.db")
    shutil.copyfile(database, today)
    with in_words(), closing(connect(today)) as db:
        problem = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if problem != "ok":
            raise Refused(f"The database is damaged: {problem}.", ANOTHER)
        prepare(db)
        return kept(db), lasting(db)


def _same(place: Place, sha256: str) -> bool | None:
    """Say whether a blob of a backup has its hash; None when it is not there."""
    try:
        with place.open(blob_name(sha256)) as file:
            return file_digest(file, "sha256").hexdigest() == sha256  # type: ignore[arg-type]
    except KeyError:
        return None


def _put(place: Place, blobs: Blobs, sha256: str) -> bool | None:
    """Write a blob of a backup into a home, and say whether it has its hash; None when it is not there."""
    try:
        with place.open(blob_name(sha256)) as source, blobs.writer() as writer:
            found, _ = copy(source, writer)  # type: ignore[arg-type]
            return found == sha256 and bool(writer.commit())
    except KeyError:
        return None


def _hold(whole: bool | None, sha256: str, must: set[str]) -> None:
    if whole is False or (whole is None and sha256 in must):
        fault = "is damaged" if whole is False else "is missing"
        raise Refused(f"A file in this backup {fault}: {sha256}.", ANOTHER)


def _settle(file: Path, home: Path) -> None:
    """Give the home its database, and take the mark away."""
    part = home / f"{DATABASE}.part"
    part.write_bytes(b"")
    part.chmod(0o600)
    with file.open("rb") as source, part.open("wb") as into:
        copy(source, into)
    synchronise(part)
    part.replace(home / DATABASE)
    synchronise(home)
    (home / MARK).unlink()


def _empty(home: Path) -> None:
    if home.exists() and not (home / MARK).exists() and any(home.iterdir()):
        raise Refused(
            f"The folder {home} is not empty, and restoring would mix two homes.",
            "Set PORTOLAN_HOME to a new or empty folder.",
        )


def _each(names: Iterable[str], doing: str, tell: Tell) -> Iterator[str]:
    """Yield names in order, and tell how far that is, at most a hundred times."""
    ordered = sorted(names)
    step = max(1, len(ordered) // 100)
    for number, name in enumerate(ordered):
        if number % step == 0:
            tell(number / len(ordered), f"{doing}: file {number + 1} of {len(ordered)}")
        yield name
