"""Texts that a compiler or an interpreter would read: generated source, with what only an attacker writes in it."""

from tests.hostile.corpus.attack import Attack
from tests.hostile.corpus.gathered import _source

C = [
    "#include <stdlib.h>", "#include \"/etc/passwd\"", "  #define predict evil", '??=include "x"', 'void f(void) { asm("nop"); }', "int x = __LINE__;",
    "__attribute__((constructor)) void f(void) {}", '_Pragma("GCC system_header")', "%:include <unistd.h>", "#incl\\\nude <unistd.h>", "int main(void) { return system(\"id\"); }",
]  # fmt: skip
PYTHON = [
    "(" * 3000, "x = " + "-" * 5000 + "1", "x = '\\N{BULLET}' 'a'\x00", "# -*- coding: utf-7 -*-\n+AGkAbQBwAG8AcgB0-", "lambda: 0", "x: __import__('os') = 1",
    "x = [y := 1]", "del math", "assert print('x')", "def f(x=open('a')):\n    return x", "x = math.__dict__", "match 1:\n    case _:\n        pass", "ｅxec('1')", "import os;", "raise SystemExit",
]  # fmt: skip

CALM = ("lambda: 0",)
"""Nothing calls it."""

ATTACKS: tuple[Attack, ...] = (
    *(Attack("c_source", line[:40], "m.c", lambda honest, line=line: _source(".c", honest, line)) for line in C),
    *(
        Attack("python_source", line[:40], "m.py", lambda honest, line=line: _source(".py", honest, line), line in CALM)
        for line in PYTHON
    ),
)
