"""A place to drop a file: it streams to one of our routes with progress and cancel, past Streamlit's uploader and its copies in memory."""

from collections.abc import Sequence
from typing import Any

from core.domain.limits import MB, limit_mb
from core.domain.reach import base
from pages.visitor import place
from pages.widgets import component

_COMPONENT = component.beside(__file__, "portolan_upload")


def drop_zone(
    label: str, hint: str, url: str, accept: Sequence[str] = (), *, key: str, known: str | None = None
) -> dict[str, Any] | None:
    """Draw the zone; in the one run after an upload, return the route's answer with the file's ``name`` and ``size``.

    ``accept`` lists suffixes such as ``.onnx`` (empty: any file). The answer comes by way of the browser: check it again.
    ``known`` is the SHA-256 of the file that the page works with (empty: none yet); where it is given, the zone says that a
    file has arrived only once it is this one.
    """
    here = place()
    return _zone(label, hint, f"{url}?place={here.owner}" if here.person else url, accept, limit_mb(), key, known)


def text_zone(label: str, hint: str, accept: Sequence[str], max_mb: int, *, key: str) -> tuple[str, str] | None:
    """Draw the zone for a small text that comes with the page's own messages; in the one run after, return its name and its words."""
    answer = _zone(label, hint, "", accept, max_mb, key)
    if answer is None or len(text := str(answer.get("text", ""))) > max_mb * MB:
        return None
    return str(answer.get("name", ""))[:200], text


def _zone(
    label: str, hint: str, url: str, accept: Sequence[str], max_mb: int, key: str, known: str | None = None
) -> dict[str, Any] | None:
    data = {
        "label": label,
        "hint": hint,
        "url": url and base() + url,
        "accept": ",".join(accept),
        "limit_mb": max_mb,
        "known": known,
    }
    answer = _COMPONENT(data=data, key=key, on_done_change=lambda: None).done
    return dict(answer) if answer else None
