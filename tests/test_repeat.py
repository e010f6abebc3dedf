"""The command beside a measurement: the parser reads it, and it means what was measured."""

import shlex

import pytest

from core.answers import repeat
from core.domain.gate import Bounds
from core.domain.recipe import Step
from core.domain.side_by_side import SideBySideRequest
from core.domain.task import Task
from core.domain.versus import VersusRequest
from core.domain.work import Data, Subject
from core.doors.commands import parser
from core.doors.given import read_task

ODD = "it's a $(model).onnx"
TASK = Task((Step("resize", {"size": 224, "method": "bilinear"}),), ("a cat", "a dog's"), None)
DATA = Data("1" * 64, "my pictures.zip", "label", classes=("a cat", "a dog's"), task=TASK)


def subject(name: str) -> Subject:
    return Subject("0" * 64, 1, "onnx", name)


@pytest.mark.parametrize("data", [None, DATA])
def test_a_comparison_is_read_back_as_it_was_asked(data: Data | None) -> None:
    request = VersusRequest(subject(ODD), subject("old.onnx"), data, 4, Bounds(0.03, None), (1, 2))
    words = shlex.split(repeat.versus(request))
    assert words[:3] == ["python", "-m", "core"]
    read = parser().parse_args(words[3:])
    assert (str(read.file), str(read.against), read.batch) == (ODD, "old.onnx", 4)
    assert (read.threads, read.against_threads, read.max_slowdown, read.max_memory) == (2, 1, 0.03, None)
    assert read_task(read.task) == (TASK if data else None)
    assert (str(read.data), read.classes) == (("my pictures.zip", "a cat,a dog's") if data else ("None", ""))


def test_the_runtimes_are_named_again() -> None:
    request = SideBySideRequest(subject("m.pt2"), (subject(ODD),), ("onnx", "openvino"), DATA, 2)
    read = parser().parse_args(shlex.split(repeat.side_by_side(request))[3:])
    assert read.runtimes == [ODD, "onnx", "openvino"]
    assert read_task(read.task) == TASK
