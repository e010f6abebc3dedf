"""What a file says of itself in its owner's own entries: shown within bounds, by key."""

import json
from collections.abc import Mapping

from core.border.archives import Archive
from core.domain.codec import Json
from core.domain.errors import Refused
from core.formats.anatomy.findings import parse_json

MEMBER = "portolan_metadata.json"
"""The extra file of a torch archive in which this program keeps the entries of other formats."""
MAX_BYTES = 8 << 20
SHOWN, KEY, VALUE = 200, 80, 200


def shown(entries: Mapping[str, str]) -> dict[str, Json]:
    """Return entries for a summary: at most 200 of them, keys of 80 characters, and the first 200 of each value."""
    return {key[:KEY]: value[:VALUE] for key, value in list(entries.items())[:SHOWN]}


def packed(entries: Mapping[str, str]) -> dict[str, str]:
    """Return the extra files of a torch archive that hold entries; none for none."""
    return {MEMBER: json.dumps(entries, ensure_ascii=False)} if entries else {}


def beside(archive: Archive, top: str, known: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the entries in a torch archive's extra files: those of this program, and texts of their author by the file's name.

    ``known`` are names of files that hold something else; what is no text, or longer than 8 MB, is left out.
    """
    found: dict[str, str] = {}
    for member in archive.names:
        name = member.removeprefix(f"{top}/extra/")
        if name == member or name in known or archive.members[member].size > MAX_BYTES:
            continue
        try:
            text = archive.read(member, MAX_BYTES).decode()
            found.update(_entries(text) if name == MEMBER else {name: text})
        except (Refused, UnicodeDecodeError):
            continue
    return found


def _entries(text: str) -> dict[str, str]:
    value = parse_json(text.encode(), MEMBER)
    return {str(k): v for k, v in value.items() if isinstance(v, str)} if isinstance(value, dict) else {}
