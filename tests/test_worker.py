"""What the child decides before and after a task: words for errors, and who may be opened where."""

import errno

import pytest

from core.calls.call import Here
from core.calls.inspect import refusal
from core.calls.opening import unsafe_here
from core.domain.errors import Crashed, OverLimit, Refused
from core.domain.format import Format, Risk
from core.domain.limits import READING
from core.doors import worker


class Program(Format):
    """A format whose loader runs code."""

    title = "Program"
    code_bearing = True


class Declaration(Format):
    """A format without code."""

    title = "Declaration"


def ignored(fraction: float | None, text: str) -> None:
    """Hear nothing."""


def test_code_is_opened_only_behind_every_wall() -> None:
    assert unsafe_here(Program(), Here(True, ignored)) is None
    assert unsafe_here(Declaration(), Here(False, ignored)) is None
    trouble = unsafe_here(Program(), Here(False, ignored))
    assert trouble
    assert trouble.kind == "refused"
    assert trouble.next_step


def test_only_refusing_risks_refuse() -> None:
    risks = (Risk("consent", "It may."), Risk("refuse", "It calls system", "data.pkl"), Risk("info", "It is old."))
    trouble = refusal(risks)
    assert trouble
    assert trouble.message == "It calls system (data.pkl)"
    assert refusal(risks[:1]) is None


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (Refused("No.", "Yes."), Refused, "No."),
        (MemoryError(), OverLimit, "1800 MB"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), OverLimit, "1800 MB"),
        (RuntimeError("std::bad_alloc"), OverLimit, "1800 MB"),
        (OSError(errno.EFBIG, "File too large"), OverLimit, "2048 MB"),
        (OSError(errno.ENOSPC, "No space"), OverLimit, "disk is full"),
        (ValueError("first line\nTraceback (most recent call last)"), Crashed, "ValueError: first line"),
        (SystemExit(), Crashed, "SystemExit"),
        (KeyError("x" * 10_000), Crashed, "KeyError"),
    ],
)
def test_every_error_is_one_bounded_line(error: BaseException, kind: type[Exception], words: str) -> None:
    told = worker._for_people(error, READING)
    assert isinstance(told, kind)
    assert words in told.message
    assert "\n" not in told.message
    assert len(told.message) <= 300
    assert told.next_step
    assert "complete" not in told.next_step


def test_every_kind_preloads_what_exists() -> None:
    assert set(worker.PRELOAD) == {"bare", "light", "torch", "sklearn", "ncnn", "executorch", "litert"}
    forbidden = {"sqlite_utils", "altair", "streamlit", "core.memory.store"}
    assert not forbidden & {name for names in worker.PRELOAD.values() for name in names}
