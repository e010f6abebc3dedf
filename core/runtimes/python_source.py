"""Python itself for generated source: the audited tree is run with twelve built-in functions and ``math``, in the jail."""

import ast
import builtins
import math
from pathlib import Path
from typing import Any

from core.classic.scoring_session import ScoringSession, by_rows
from core.domain.runtime import Runtime, Session
from core.formats import python_source
from core.formats.anatomy import python_subset


class PythonSourceRuntime(Runtime):
    """Calls predict row by row."""

    title = "Python"
    sentence = "Runs generated Python source row by row, after its syntax tree was checked."
    formats = ("python_source",)
    packages = ("numpy",)
    kind = "light"

    def open(self, path: Path, format: str) -> Session:
        """Load the module's tables and functions. Raises Refused where the text does more than score."""
        text = python_source.read(path)
        return ScoringSession(python_source.facts(text), by_rows(_function(text)))


def _function(text: str) -> Any:
    tree = python_subset.parse(text)
    tree.body = [node for node in tree.body if not isinstance(node, ast.Import)]
    allowed = {name: getattr(builtins, name) for name in python_subset.BUILTINS}
    scope: dict[str, object] = {"__builtins__": allowed, "math": math}
    exec(compile(tree, "model.py", "exec"), scope)  # noqa: S102  the tree keeps to the subset, and the process is jailed
    return scope["predict"]


RUNTIME = PythonSourceRuntime()
