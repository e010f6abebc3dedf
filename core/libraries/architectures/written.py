"""Networks from a Python file of the owner's: run in the jailed child alone, after its owner agreed."""

import inspect
import sys
import types
from pathlib import Path

from core.domain.errors import Refused, first_line
from core.formats.anatomy.findings import JsonObject
from core.libraries.torch import Module

MODULE = "architecture"
MAX_BYTES = 1 << 20
MAKER = "build"
"""The function that is called when the file has one and no name is given."""
FORM = f"Add a file that defines one torch.nn.Module, or a function {MAKER}() that returns it, or name the class."


def make(code: Path, name: str, arguments: JsonObject) -> Module:
    """Run the file and make the network. Raises Refused with the line at which the file fails, or what it lacks."""
    import torch

    defined = _run(code)
    maker = _maker(defined, name)
    try:
        made = maker(**arguments) if callable(maker) and not isinstance(maker, torch.nn.Module) else maker
    except Exception as error:
        raise _failed(error) from None
    if not isinstance(made, torch.nn.Module):
        raise Refused(f"The Python file returns {type(made).__name__!r}, which is not a torch.nn.Module.", FORM)
    return made


def inputs(module: Module) -> tuple[str, ...]:
    """Return the names of the arguments without which a network does not run. Raises Refused when there are none."""
    empty = inspect.Parameter.empty
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    taken = inspect.signature(module.forward).parameters.values()
    names = tuple(one.name for one in taken if one.kind in places and one.default is empty)
    if not names:
        raise Refused(
            "The network's forward method takes no named tensor.", "Write forward(self, x) with its tensors by name."
        )
    return names


def _run(code: Path) -> dict[str, object]:
    if code.stat().st_size > MAX_BYTES:
        raise Refused("The Python file is over 1 MB.", "Add only the file that defines the network.")
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module
    try:
        exec(compile(code.read_bytes(), f"{MODULE}.py", "exec"), module.__dict__)  # noqa: S102 -- in the jail, by consent
    except Exception as error:
        raise _failed(error) from None
    return module.__dict__


def _maker(defined: dict[str, object], name: str) -> object:
    import torch

    classes = [
        value
        for value in defined.values()
        if isinstance(value, type) and issubclass(value, torch.nn.Module) and value.__module__ == MODULE
    ]
    if name:
        if name.startswith("_") or name not in defined:
            known = ", ".join(one.__name__ for one in classes) or "none"
            raise Refused(f"The Python file has no {name[:60]!r}.", f"Networks that it defines: {known}.")
        return defined[name]
    if callable(defined.get(MAKER)):
        return defined[MAKER]
    if len(classes) != 1:
        known = ", ".join(one.__name__ for one in classes) or "none"
        raise Refused(f"The Python file defines {len(classes)} networks ({known}).", "Name one: architecture=Name.")
    return classes[0]


def _failed(error: Exception) -> Refused:
    """Say what went wrong and in which line of the owner's file."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == f"{MODULE}.py" else line
        trace = trace.tb_next
    cause = first_line(error)[:200]
    place = f" at line {line}" if line else ""
    return Refused(f"The Python file fails{place}: {type(error).__name__}: {cause}", "Correct the file and try again.")
