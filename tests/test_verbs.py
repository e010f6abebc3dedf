"""Verbs: each file that holds one is a row, its page is in the navigation, and its command is one that people can type."""

import importlib
from pathlib import Path

import pytest

from core import verbs
from core.doors.commands import parser
from core.doors.workspace import VERBS
from core.jobs.verb import Verb
from tests.pages.showing import FRAME

HERE = Path(verbs.__file__).parent


def test_every_file_with_a_verb_is_a_row() -> None:
    modules = [importlib.import_module(f"core.verbs.{path.stem}") for path in sorted(HERE.glob("[a-z]*.py"))]
    held = [module.VERB for module in modules if isinstance(getattr(module, "VERB", None), Verb)]
    assert {verb.name: verb for verb in held} == VERBS


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_is_shown_on_a_page_of_the_frame(name: str) -> None:
    assert f'st.Page("{VERBS[name].page}"' in Path(FRAME).read_text()


@pytest.mark.parametrize("name", [name for name, verb in VERBS.items() if verb.command])
def test_the_command_of_a_verb_is_one(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([VERBS[name].command, "--help"])
    assert ended.value.code == 0
    assert f"python -m core {VERBS[name].command}" in capsys.readouterr().out
