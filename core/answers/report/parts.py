"""What every shared page is built of: the document around it, single figures, and charts under their titles."""

from html import escape
from pathlib import Path
from string import Template

FRAME = Template((Path(__file__).parent / "frame.html").read_text("utf-8"))


def frame(title: str, kind: str, body: str) -> str:
    """Return the whole document; ``title`` is escaped here, ``body`` is HTML."""
    return FRAME.substitute(title=escape(title), kind=escape(kind), body=body)


def card(title: str, value: str, below: str) -> str:
    """Return one figure."""
    return f"<div class=card><span class=soft>{escape(title)}</span><b>{escape(value)}</b><span class=soft>{escape(below)}</span></div>"


def figure(title: str, drawn: str) -> str:
    """Return a chart under its title."""
    return f"<div class='card wide'><h2>{escape(title)}</h2>{drawn}</div>"
