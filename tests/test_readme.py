"""The README says what the shelves hold."""

from tests.readme import README, rendered


def test_tables_are_those_of_the_shelves() -> None:
    text = README.read_text()
    assert text == rendered(text), "run `make readme`"
    assert text.count("<!-- /") == 2
