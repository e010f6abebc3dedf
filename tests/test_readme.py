"""The README says what the shelves hold."""

import json

from core.converters import CONVERTERS
from tests.readme import PAIRS, README, rendered


def test_tables_are_those_of_the_shelves() -> None:
    text = README.read_text()
    assert text == rendered(text), "run `make readme`"
    assert text.count("<!-- /") == 4


def test_the_measured_pairs_are_those_of_the_shelf_and_none_fails() -> None:
    measured = json.loads(PAIRS.read_text())["pairs"]
    available = {one.id for one in CONVERTERS if one.unavailable() is None}
    assert set(measured) >= available, "run `python -m benchmarks.pairs`"
    assert set(measured) <= {one.id for one in CONVERTERS}
    rows = [(id, name, row) for id, rows in measured.items() for name, row in rows.items()]
    assert not [row for row in rows if row[2]["verdict"] == "FAIL"]
    assert all(row["reason"] for _, _, row in rows if row["verdict"] != "PASS")
    assert all(rows for rows in measured.values())
