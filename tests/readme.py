"""Write the README's tables from the shelves: ``python -m tests.readme``."""

import json
import re
from pathlib import Path
from typing import Any

from core.converters import CONVERTERS
from core.formats import FORMATS
from core.targets import TARGETS
from core.techniques import TECHNIQUES

README = Path(__file__).parent.parent / "README.md"
PAIRS = README.parent / "docs" / "pairs.json"


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
    """Return the table of conversions with what ``benchmarks.pairs`` found."""
    measured = json.loads(PAIRS.read_text())["pairs"]
    rows = [
        "| from | to | converter | verdict on our samples | largest difference | tolerance (absolute, relative) |",
        "|---|---|---|---|---|---|",
    ]
    for one in CONVERTERS:
        bounds = f"{one.tolerance.absolute:g}, {one.tolerance.relative:g}"
        ends = f"{FORMATS[one.source].title} | {FORMATS[one.target].title}"
        found = list(measured.get(one.id, {}).values())
        rows.append(f"| {ends} | `{one.id}` | {verdicts(found)} | {largest(found)} | {bounds} |")
    return "\n".join(rows)


def techniques() -> str:
    """Return the table of techniques."""
    rows = ["| technique | id | family | for | learns from samples |", "|---|---|---|---|---|"]
    for one in TECHNIQUES:
        learns = "yes" if one.calibrates else ""
        rows.append(f"| {one.title} | `{one.id}` | {one.family} | {one.claim} | {learns} |")
    return "\n".join(rows)


def targets() -> str:
    """Return the table of targets."""
    rows = ["| target | id | format | asked about operators | package with server |", "|---|---|---|---|---|"]
    for one in TARGETS:
        marks = " | ".join("yes" if found else "" for found in (one.tries, one.packaged))
        rows.append(f"| {one.title} | `{one.id}` | `{one.format}` | {marks} |")
    return "\n".join(rows)


def verdicts(found: list[dict[str, Any]]) -> str:
    """Count the verdicts, the good ones first."""
    words = {
        "PASS": "PASS",
        "WRITTEN": "written, cannot run here",
        "NOT PROVEN": "NOT PROVEN",
        "REFUSED": "refused with the reason",
        "FAIL": "FAIL",
    }
    counts = {word: sum(row["verdict"] == key for row in found) for key, word in words.items()}
    return ", ".join(f"{word} {k} of {len(found)}" for word, k in counts.items() if k) or "not measured"


def largest(found: list[dict[str, Any]]) -> str:
    """Return the largest difference over what passed."""
    passed = [float(row["max_abs"]) for row in found if row["verdict"] == "PASS"]
    return f"{max(passed):.1e}" if passed else ""


def rendered(text: str) -> str:
    """Return the README with its tables made anew."""
    tables = {"formats": formats(), "converters": converters(), "techniques": techniques(), "targets": targets()}
    for name, table in tables.items():
        text = re.sub(
            rf"<!-- {name} -->.*?<!-- /{name} -->",
            lambda _, n=name, t=table: f"<!-- {n} -->\n{t}\n<!-- /{n} -->",
            text,
            flags=re.S,
        )
    return text


if __name__ == "__main__":
    README.write_text(rendered(README.read_text()))
