"""Reads a zip of pictures, in a folder for each class or beside a table of labels, one at a time and never whole."""

import csv
import io
import weakref
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path, PurePosixPath

import numpy as np

from core.border import archives
from core.border.archives import JUNK, Archive
from core.decoding import DECODINGS, decoded
from core.decoding import normal as normal_decoding
from core.domain.artifact import Signature, TensorSpec
from core.domain.errors import Refused, first_line
from core.domain.preprocessing import Kind
from core.domain.split import Split
from core.domain.task import Task
from core.preprocessing import described, normal, prepared
from core.proof import fitting, guessing, labels, sides
from core.proof.dataset import Asked, Dataset
from core.proof.labels import Reading, some
from core.proof.sides import Cut

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"))
MOST = 200_000
"""Pictures in a zip."""
LARGEST, LARGEST_TABLE = 64 << 20, 64 << 20
"""Bytes of one picture's file, and of the table of labels."""
FILES = ("file", "filename", "file_name", "image", "picture", "path", "name")
LABELS = ("label", "y", "target", "class", "text", "word", "words")
KEPT = 128 << 20
"""Bytes of prepared samples that stay in memory for those who ask again."""
MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"P5", b"P6")
TEXTS = (TensorSpec("text", "str", ("n",)),)
"""What a model answers whose outputs are decoded to texts."""
OTHERS = "Zip the pictures in a folder for each class, or beside a labels.csv with the columns file and label."


@dataclass(frozen=True)
class Folder:
    """Pictures by the name of their member, with one label each or None, and what was assumed or left out."""

    archive: Archive
    names: tuple[str, ...]
    labels: tuple[str, ...] | None
    notes: tuple[str, ...]
    cut: Cut | None = None

    def read(self, name: str) -> bytes:
        """Return the bytes of a picture's file."""
        return self.archive.read(name, LARGEST)

    def picture(self, name: str) -> bool:
        """Say whether a file begins as a picture does."""
        with self.archive.open(name) as stream:
            return stream.read(4).startswith(MAGIC)


@dataclass(frozen=True, kw_only=True)
class Pictures(Dataset):
    """Samples that are made from their files whenever they are asked for; ``inputs`` stays empty."""

    folder: Folder
    members: tuple[str, ...]
    """The file of each row."""

    task: Task
    signature: Signature

    def samples(self, start: int, stop: int) -> dict[str, np.ndarray]:
        """Prepare a range of pictures, each array [rows, ...]. Raises Refused where one cannot be, or they do not fit the input."""
        made = [self._one(name) for name in self.members[start:stop]]
        if len({array.shape for array in made}) > 1:
            shapes = some(sorted({" x ".join(map(str, array.shape)) for array in made}))
            raise Refused(f"The prepared pictures have different sizes: {shapes}.", "Add a step that resizes them.")
        return fitting.fitted({self.signature.inputs[0].name: np.stack(made)}, self.signature.inputs)

    @property
    def reads(self) -> bool:
        """Whether the task decodes the outputs to texts."""
        return self.task.decode is not None

    def decoded(self, outputs: list[np.ndarray]) -> list[np.ndarray]:
        """Return what the outputs mean by the task."""
        return decoded(outputs, self.task.decode)

    def digest(self, row: int) -> bytes:
        """Return the SHA-256 of what the archive says of a file: its CRC-32 and its size, which equal files share."""
        return sha256(repr(self.folder.archive.content(self.members[row])).encode()).digest()

    def only(self, kept: np.ndarray) -> "Pictures":
        """Return the rows where ``kept`` [n] bool says so."""
        members = tuple(name for name, keep in zip(self.members, kept.tolist(), strict=True) if keep)
        own = None if self.labels is None else self.labels[kept]
        return replace(self, labels=own, n=len(members), members=members, cut=self.cut and self.cut.only(kept))

    def _one(self, name: str) -> np.ndarray:
        if name in self._memory:
            return self._memory[name]
        try:
            found: np.ndarray = prepared(self.folder.read(name), self.task.prepare)
        except Refused as error:
            raise Refused(f"{name[:80]}: {error.message}", error.next_step) from None
        if (len(self._memory) + 1) * found.nbytes <= KEPT:
            self._memory[name] = found
        return found

    @cached_property
    def _memory(self) -> dict[str, np.ndarray]:
        return {}


def holds(names: tuple[str, ...]) -> bool:
    """Say whether a zip with members of these names is one of pictures."""
    return any(PurePosixPath(name).suffix.lower() in SUFFIXES for name in names)


def read(path: Path, asked: Asked, signature: Signature) -> Pictures:
    """Open a zip of pictures for a model with one input; without a declared task, the steps are guessed and said to be. Raises Refused."""
    folder = opened(path, asked.label, asked.split)
    task, told = _task(asked, signature, folder)
    label = "no label" if folder.labels is None else "with labels"
    notes = (f"Read as a zip of pictures, {len(folder.names):,} pictures, {label}.", told, *folder.notes)
    found = Pictures(
        inputs={},
        labels=None,
        n=len(folder.names),
        shapes=fitting.shapes(signature.inputs),
        notes=notes,
        cut=folder.cut,
        folder=folder,
        members=folder.names,
        task=task,
        signature=signature,
    )
    return _labelled(found, folder, asked)


def _task(asked: Asked, signature: Signature, folder: Folder) -> tuple[Task, str]:
    """Return the declared task, or a guess, with a sentence on its steps."""
    declared = asked.task
    known = declared is not None and declared.prepare
    first = folder.read(folder.names[0])
    task = declared if known and declared else guessing.of_pictures(signature, asked.metadata, first)
    steps, decode = normal(task.prepare, Kind.FILE), normal_decoding(task.decode) if task.decode else None
    doubt = "" if known else " (a guess; set the steps on the Models page or with --task)"
    answers = f" Answers: {DECODINGS[decode.transform].title}." if decode else ""
    named = declared or Task()
    return Task(steps, named.classes, decode, named.metric), f"Each picture: {described(steps)}{doubt}.{answers}"


def _labelled(found: Pictures, folder: Folder, asked: Asked) -> Pictures:
    if folder.labels is None:
        return found
    outputs = TEXTS if found.task.decode else found.signature.outputs
    reading = Reading(outputs, asked.classes or found.task.classes)
    answers = labels.read(np.array(folder.labels), reading)
    whole = found if answers.kept.all() else found.only(answers.kept)
    return replace(whole, labels=answers.values, names=answers.names, notes=(*found.notes, *answers.notes))


def opened(path: Path, label: str | None, split: Split | None = None) -> Folder:
    """Walk the archive and find the pictures with their labels; it stays open as long as the folder lives. Raises Refused."""
    stack = ExitStack()
    archive = stack.enter_context(archives.walk(path, MOST))
    weakref.finalize(archive, stack.close)
    members = [name for name in archive.names if not JUNK.fullmatch(name)]
    pictures = tuple(name for name in members if PurePosixPath(name).suffix.lower() in SUFFIXES)
    whole = Folder(archive, pictures, None, ())
    fine = {name for name in pictures if whole.picture(name)}
    kept, broken = (tuple(name for name in pictures if (name in fine) is good) for good in (True, False))
    notes: tuple[str, ...] = (_counted(broken, "is no picture", "are no pictures"),) if broken else ()
    tables = [name for name in members if PurePosixPath(name).suffix.lower() == ".csv"]
    known = {*pictures, *tables[:1]}
    others = [name for name in members if name not in known]
    notes += (_counted(others, "is neither picture nor table", "are neither pictures nor tables"),) if others else ()
    if not kept:
        raise Refused("The zip contains no picture that can be read.", OTHERS)
    if tables:
        return _from_table(replace(whole, names=kept, notes=notes), tables[0], label, split)
    if split is not None:
        raise Refused(
            f"A zip without a table has no column {split.column!r} to split by.",
            "Add a labels.csv with the columns file, label and the one to split by.",
        )
    classes = [PurePosixPath(name).parent.name for name in kept]
    own = tuple(classes) if len(set(classes)) > 1 else None
    return replace(whole, names=kept, labels=own, notes=notes)


def _counted(names: Sequence[str], one: str, several: str) -> str:
    shown = some([name[-60:] for name in names[:3]]) + (" ..." if len(names) > 3 else "")
    return f"{len(names):,} {'file' if len(names) == 1 else 'files'} that {one if len(names) == 1 else several} left out: {shown}."


def _from_table(folder: Folder, table: str, label: str | None, split: Split | None) -> Folder:
    """Give each picture the label that a CSV file has for it; what is named in only one of both is counted and left out."""
    rows = _rows(folder.archive.read(table, LARGEST_TABLE), table)
    file, column = _columns(rows[0], label, table)
    given = {row[file].strip(): row[column].strip() for row in rows[1:] if len(row) > max(file, column)}
    root = PurePosixPath(table).parent
    ways = [
        {
            str(PurePosixPath(name).relative_to(root)) if root in PurePosixPath(name).parents else name: name
            for name in folder.names
        }
    ]
    ends = Counter(PurePosixPath(name).name for name in folder.names)
    ways.append({PurePosixPath(name).name: name for name in folder.names if ends[PurePosixPath(name).name] == 1})
    way = max(ways, key=lambda way: len(way.keys() & given.keys()))
    found = {way[name]: words for name, words in given.items() if name in way}
    if not found:
        raise Refused(
            f"No picture of the zip is named in the column {rows[0][file]!r} of {table[:60]}: {some(list(given)[:3])}.",
            f"Name them as the zip does: {some(folder.names[:3])}.",
        )
    names = tuple(name for name in folder.names if name in found)
    unnamed = [name for name in folder.names if name not in found]
    absent = [name for name in given if name not in way]
    notes = folder.notes
    notes += (_counted(unnamed, "is not named in the table", "are not named in the table"),) if unnamed else ()
    notes += (f"{len(absent):,} rows of the table name no picture of the zip: {some(absent[:3])}.",) if absent else ()
    cut = None
    if split is not None:
        if split.column not in rows[0]:
            raise Refused(
                f"{table[:60]} has no column {split.column!r} to split by.", f"Columns there: {some(rows[0])}."
            )
        place = rows[0].index(split.column)
        own = {
            way[row[file].strip()]: row[place].strip()
            for row in rows[1:]
            if len(row) > max(file, column, place) and row[file].strip() in way
        }
        cut = sides.read(split, np.array([own.get(name, "") for name in names], np.str_))
    return replace(folder, names=names, labels=tuple(found[name] for name in names), notes=notes, cut=cut)


def _rows(content: bytes, table: str) -> list[list[str]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(f"{table[:60]} is no text in UTF-8.", "Save it as UTF-8.") from None
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    try:
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row]
    except csv.Error as error:
        raise Refused(f"{table[:60]} is not CSV that can be read: {first_line(error)[:80]}.", OTHERS) from None
    if len(rows) < 2:
        raise Refused(f"{table[:60]} has no rows below its header.", OTHERS)
    return rows


def _columns(header: list[str], label: str | None, table: str) -> tuple[int, int]:
    """Return the places of the column that names the file and of the one with the label."""
    plain = [name.strip().lower() for name in header]
    file = next((plain.index(name) for name in FILES if name in plain), None)
    wanted = (label.strip().lower(),) if label else LABELS
    column = next((plain.index(name) for name in wanted if name in plain), None)
    if file is None or column is None:
        missing = f"a column {' or '.join(FILES[:3])}" if file is None else f"a column {' or '.join(wanted[:3])}"
        raise Refused(f"{table[:60]} has no {missing.removeprefix('a ')}: it has {some(header)}.", OTHERS)
    return file, column
