"""Names in a model reach a terminal, and a page, as letters."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from core.doors.terminal import letters
from pages.widgets.text import plain
from tests.serving import ROOT

CLIPBOARD, TITLE, COLOUR, CLEAR = "\x1b]52;c;cm0gLXJm\x07", "\x1b]0;owned\x1b\\", "\x1b[31m", "\x1b[2J"
C1, BACK, RIGHT_TO_LEFT = "\x9b31m", "\b\b\r", "\u202e"
HOSTILE = f"x{CLIPBOARD}{TITLE}{COLOUR}{CLEAR}{C1}{BACK}{RIGHT_TO_LEFT}y"


def model(path: Path) -> Path:
    """Write a model whose names and producer drive a terminal."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in (HOSTILE, "out" + HOSTILE)]
    graph = helper.make_graph([helper.make_node("Relu", [HOSTILE], ["out" + HOSTILE])], "g", ends[:1], ends[1:])
    made = helper.make_model(graph, producer_name=HOSTILE, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save(made, path)
    return path


def on_a_terminal(*words: str) -> str:
    """Return what a command writes on a terminal, as it arrives there."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "core", *words]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment, cwd=ROOT) as process:
        os.close(theirs)
        said = b""
        try:
            while piece := os.read(ours, 4096):
                said += piece
        except OSError:  # how Linux says that the last writer has gone
            pass
        process.wait()
    os.close(ours)
    return said.decode()


def test_a_model_drives_no_terminal(tmp_path: Path) -> None:
    said = on_a_terminal("inspect", str(model(tmp_path / "m.onnx")))
    assert "input x" in said
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", said), repr(said)
    assert "cm0gLXJm" not in said


def test_a_file_name_in_an_error_drives_no_terminal(tmp_path: Path) -> None:
    said = on_a_terminal("inspect", str(tmp_path / f"{COLOUR}{C1}nowhere"))
    assert "nowhere" in said
    assert "\x1b" not in said
    assert "\x9b" not in said


def test_letters_of_all_scripts_stay() -> None:
    assert letters("naïve 模型 مدل \U0001f600\n\t") == "naïve 模型 مدل \U0001f600\n\t"


LINKS = re.compile(r"(https?://|www(?=\.))([-.\w]+)([^ \t\r\n]*)|([-.\w+]+)@([-\w]+(?:\.[-\w]+)+)", re.IGNORECASE)
"""How mdast-util-gfm-autolink-literal finds addresses in text, after Markdown's own escapes are gone."""


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/x",
        "HTTP://evil.example",
        "see www.evil.example",
        "WWW.evil.example",
        "mail me@evil.example",
    ],
)
def test_a_text_of_a_file_is_no_link(text: str) -> None:
    shown = re.sub(r"\\(.)", r"\1", plain(text))
    assert LINKS.search(text)
    assert not LINKS.search(shown)
    assert shown.replace("\u2060", "") == text
