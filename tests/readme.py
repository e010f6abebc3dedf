"""Write the README's tables from the shelves: ``python -m tests.readme``."""

import re
from pathlib import Path

from core.converters import CONVERTERS
from core.formats import FORMATS

README = Path(__file__).parent.parent / "README.md"


def formats() -> str:
    """Return the table of formats."""
    sources = {converter.source for converter in CONVERTERS}
    targets = {converter.target for converter in CONVERTERS}
    rows = ["| format | id | files | can carry code | from | to |", "|---|---|---|---|---|---|"]
    for format in FORMATS:
        marks = ["yes" if found else "" for found in (format.code_bearing, format.id in sources, format.id in targets)]
        rows.append(f"| {format.title} | `{format.id}` | {' '.join(format.suffixes)} | {' | '.join(marks)} |")
    return "\n".join(rows)


def converters() -> str:
    """Return the table of conversions."""
    rows = ["| from | to | tolerance (absolute, relative) | how |", "|---|---|---|---|"]
    for one in CONVERTERS:
        bounds = f"{one.tolerance.absolute:g}, {one.tolerance.relative:g}"
        rows.append(f"| {FORMATS[one.source].title} | {FORMATS[one.target].title} | {bounds} | {one.sentence} |")
    return "\n".join(rows)


def rendered(text: str) -> str:
    """Return the README with both tables made anew."""
    for name, table in (("formats", formats()), ("converters", converters())):
        text = re.sub(
            rf"<!-- {name} -->.*?<!-- /{name} -->",
            lambda _, n=name, t=table: f"<!-- {n} -->\n{t}\n<!-- /{n} -->",
            text,
            flags=re.S,
        )
    return text


if __name__ == "__main__":
    README.write_text(rendered(README.read_text()))
