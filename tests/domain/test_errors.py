"""How words of libraries and accidents of ours reach a person: one rule, held over the whole program."""

import ast
import time
from pathlib import Path

import pytest

from core.domain.errors import Crashed, OverLimit, Refused, first_line, our_fault, plainly, refusing

ROOT = Path(__file__).resolve().parents[2]

SAID = {
    "\x1b[1;31mError\x1b[0m: bad \x1b]8;;http://x\x07link\x1b]8;;\x07": "Error: bad link",
    "[ONNXRuntimeError] : 10 : INVALID_GRAPH : Load model from /tmp/jobs/a1/in/model.onnx failed:This is an invalid model.": "Load model from model.onnx failed:This is an invalid model.",
    "[ONNXRuntimeError] : 1 : FAIL : Status Message: /onnxruntime_src/onnxruntime/core/providers/cpu/tensor/reshape_helper.h:47 onnxruntime::ReshapeHelper::ReshapeHelper(const onnxruntime::TensorShape&, TensorShapeVector&, bool) input_shape_size == size was false.": "Status Message: input_shape_size == size was false.",
    "\n\n  second line tells\nthird": "second line tells",
    "File /usr/lib/python3/site-packages/torch/_export/x.py is odd": "File x.py is odd",
    "a ratio of 1/2 and float32/int64, https://onnx.ai/docs/x.html": "a ratio of 1/2 and float32/int64, https://onnx.ai/docs/x.html",
    "tab\tand\x00null": "tab andnull",
}


@pytest.mark.parametrize("text", SAID)
def test_words_of_a_library_lose_what_is_for_its_makers(text: str) -> None:
    assert first_line(ValueError(text)) == SAID[text]


@pytest.mark.parametrize("part", ["a", "a/", "a.", "x(", "a.cc:1 b("])
def test_long_words_of_strangers_are_read_in_bounded_steps(part: str) -> None:
    """A pattern that looks at each place from each other one takes minutes here."""
    started = time.process_time()
    plainly(part * 50_000)
    assert time.process_time() - started < 5


def test_a_silent_error_is_named_by_its_kind() -> None:
    assert first_line(KeyError()) == "KeyError"
    assert first_line(ValueError("\x1b[0m\n-- \n")) == "ValueError"
    assert len(first_line(ValueError("x" * 10_000))) == 300


def test_an_accident_is_our_fault_and_says_what_to_report() -> None:
    from core.formats.anatomy.elements import bits

    try:
        bits(None)  # type: ignore[arg-type]
    except TypeError as error:
        told = our_fault(error)
    assert isinstance(told, Crashed)
    assert "fault of Portolan, not of your file" in told.message
    assert "TypeError" in told.message
    assert "report" in told.next_step
    assert "core/formats/anatomy/elements.py:" in told.next_step
    assert str(ROOT) not in told.next_step


def test_the_words_of_a_library_end_before_the_next_step_begins() -> None:
    with (
        pytest.raises(Refused, match=r"Cannot be read: no closing tag\.$"),
        refusing("Cannot be read", "Save it again."),
    ):
        raise ValueError("no closing tag")
    with pytest.raises(OverLimit, match="The disk is full"), refusing("Cannot be read", "Save it again."):
        raise OverLimit("The disk is full.")


def test_folders_of_this_machine_are_not_told() -> None:
    assert str(ROOT.parent) not in plainly(f"no such file: {ROOT}/core/x.onnx")


def offences(path: Path) -> list[str]:
    """Return where a caught error is put into a sentence as the library said it."""
    found = []
    for handler in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ExceptHandler)):
        for text in (node for node in ast.walk(handler) if isinstance(node, ast.FormattedValue)):
            told = text.value
            if isinstance(told, ast.Call) and isinstance(told.func, ast.Name) and told.func.id in ("str", "repr"):
                told = told.args[0]
            if isinstance(told, ast.Name) and told.id == handler.name:
                found.append(f"{path.relative_to(ROOT)}:{text.lineno}")
    return found


def test_nobody_passes_on_what_a_library_says_but_by_the_rule() -> None:
    assert [place for path in sorted((ROOT / "core").rglob("*.py")) for place in offences(path)] == []
