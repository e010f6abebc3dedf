"""A place to drop a file: it streams to one of our routes with progress and cancel, past Streamlit's uploader and its copies in memory."""

from collections.abc import Sequence
from typing import Any

from core.domain.limits import limit_mb
from pages.visitor import place
from pages.widgets import component

_COMPONENT = component.beside(__file__, "portolan_upload")


def drop_zone(label: str, hint: str, url: str, accept: Sequence[str] = (), *, key: str) -> dict[str, Any] | None:
    """Draw the zone; in the one run after an upload, return the route's answer with the file's ``name`` and ``size``.

    ``accept`` lists suffixes such as ``.onnx`` (empty: any file). The answer comes by way of the browser: check it again.
    """
    here = place()
    url = f"{url}?place={here.owner}" if here.person else url
    data = {"label": label, "hint": hint, "url": url, "accept": ",".join(accept), "limit_mb": limit_mb()}
    answer = _COMPONENT(data=data, key=key, on_done_change=lambda: None).done
    return dict(answer) if answer else None
