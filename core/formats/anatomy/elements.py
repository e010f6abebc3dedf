"""The size of an element, by the name that the formats give its type here."""

import re


def bits(dtype: str) -> int:
    """Return the bits of an element: the first number in the name, 8 for ``bool``, 0 for text and what else has no size of its own."""
    found = re.search(r"\d{1,4}", dtype)
    return int(found[0]) if found else 8 * (dtype == "bool")
