"""The words that the glossary replaces do not come back in what a person reads."""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GLOSSARY = ROOT / "docs" / "glossary.md"
SOURCES = [path for room in ("core", "pages") for path in sorted((ROOT / room).rglob("*.py"))]


def banned() -> list[str]:
    """Return what stands in the last column of the glossary's tables."""
    rows = [line.split("|")[1:-1] for line in GLOSSARY.read_text().splitlines() if line.startswith("|")]
    words = [word.strip() for row in rows for word in row[2].split(";")]
    return [word for word in words if word and word != "not" and set(word) != {"-"}]


def sentences(text: str) -> Iterator[str]:
    """Yield the strings of a program without its docstrings."""
    tree = ast.parse(text)
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent:
            yield node.value


def test_the_glossary_replaces_some_words_and_gives_each_term_once() -> None:
    terms = [line.split("|")[1].strip() for line in GLOSSARY.read_text().splitlines() if line.startswith("| ")]
    terms = [term for term in terms if term != "term"]
    assert "as it runs" in banned()
    assert len(terms) == len(set(terms)) > 40


@functools.cache
def everything() -> list[tuple[str, str]]:
    """Return every string of every program with the file that it stands in."""
    return [(str(path.relative_to(ROOT)), said) for path in SOURCES for said in sentences(path.read_text())]


@pytest.mark.parametrize("word", banned())
def test_no_sentence_says_a_word_that_the_glossary_replaces(word: str) -> None:
    pattern = re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)
    assert pattern.search(f"A {word}."), "the pattern finds nothing"
    assert not [path for path, said in everything() if pattern.search(said)]
