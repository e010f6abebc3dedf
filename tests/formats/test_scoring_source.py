"""Generated source from strangers: a changed text, and Python or C that does more than score."""

from pathlib import Path

import pytest

from core.domain.errors import Refused
from core.formats.anatomy import python_subset
from core.scoring.source import signed
from tests.formats.verdict import refused


def resigned(path: Path, text: str) -> Path:
    """Write a text with a checksum that fits it, as an attacker would."""
    start = "/* " if path.suffix == ".c" else '"""'
    path.write_text(f"{start}{signed(text)}\n{text}")
    return path


def rest(path: Path) -> str:
    return path.read_text().partition("\n")[2]


@pytest.mark.parametrize("name", ["penguins.py", "penguins.c"])
def test_a_changed_text_is_refused(name: str, honest: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(honest[name].read_text().replace("0.0", "0.1", 1))
    assert "changed" in refused(path)
    assert not refused(resigned(path, rest(honest[name])))


EVIL = [
    "import os\nos.system('id')",
    "from os import system",
    "print(open('/etc/passwd').read())",
    "x = ().__class__.__bases__",
    "x = getattr(math, 'sqrt')",
    "__import__('os')",
    "x = 'a'.format(1)",
    "def len(x):\n    return 1",
    "math = 3",
    "class A:\n    pass",
    "x = eval('1')",
    "with x as y:\n    pass",
    "try:\n    pass\nexcept ValueError:\n    pass",
    "x = f'{1}'",
    "x = 2 ** 99999999",
    "@abs\ndef f():\n    return 1",
    "import math as m",
    "global v",
    "async def f():\n    return 1",
]


@pytest.mark.parametrize("line", EVIL)
def test_python_that_does_more_is_refused(line: str, honest: dict[str, Path], tmp_path: Path) -> None:
    path = resigned(tmp_path / "m.py", f"{rest(honest['penguins.py'])}\n{line}\n")
    assert "more than score" in refused(path)
    with pytest.raises(Refused, match="more than score"):
        python_subset.parse(line)


@pytest.mark.parametrize(
    "line",
    [
        "#include <stdlib.h>",
        "  #define predict evil",
        '??=include "x"',
        'void f(void) { asm("nop"); }',
        "int x = __LINE__;",
        'int main(void) { return system("id"); }',
        "extern int system(const char *); ",
        '// "\nvoid system(void);\n// "',
        "/* *??/\n/ void system(void); /* */",
        "/* *\\\n/ void system(void); /* */",
        "char c = '\"'; void system(void); char d = '\"';",
    ],
)
def test_c_that_does_more_is_refused(line: str, honest: dict[str, Path], tmp_path: Path) -> None:
    path = resigned(tmp_path / "m.c", f"{rest(honest['penguins.c'])}\n{line}\n")
    assert "more than score" in refused(path)


@pytest.mark.parametrize("name", ["penguins.py", "penguins.c"])
def test_a_text_without_its_facts_is_refused(name: str, honest: dict[str, Path], tmp_path: Path) -> None:
    text = rest(honest[name]).replace('"answers"', '"replies"').replace("'answers'", "'replies'")
    assert "inputs and outputs" in refused(resigned(tmp_path / name, text))
