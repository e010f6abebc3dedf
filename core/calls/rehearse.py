"""Run the tests of a generated package in a fresh process, and ask the engine directly what its server will be asked."""

import contextlib
import importlib
import io
import json
import os
import sys
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.calls.call import IN, OUT, Call, Here
from core.domain.limits import WORKING
from core.domain.meaning import Meaning
from core.domain.report import Count

if TYPE_CHECKING:
    import numpy as np

    from core.calls.bench import Bench
    from core.memory.blobs import Blob

PACKAGE, RECORDED, ANSWERS = "package.zip", "recorded.bin", "answers.bin"
TESTS, TASK_TESTS, SAMPLES = "test_model", "test_task", "samples.json"
LARGEST = 1_000_000_000
"""Bytes of answers: none is left out, so that each stands beside its question."""


@dataclass(frozen=True)
class Request:
    """The keys of the package and of the recorded inputs."""

    package: str
    recorded: str


@dataclass(frozen=True)
class Ran:
    """How many tests ran and failed, in the words of the last failure."""

    tests: int
    failed: int
    words: str


@dataclass(frozen=True)
class RawRan(Ran):
    """The tests of the steps that prepare raw samples, and what the answer to each recorded sample means."""

    meanings: tuple[Meaning, ...]


@dataclass(frozen=True)
class Rehearsed(Ran):
    """The package's tests; the recorded cases, the largest difference; which inputs the engine answered, and of these how many without new NaN or infinity; the tests on raw samples where it takes any."""

    cases: int
    max_abs: float
    answered: tuple[int, ...]
    finite: Count
    raw: RawRan | None = None


def work(request: Request, here: Here) -> Rehearsed:
    """Unpack the package, run its tests, and write ``out/answers.bin``."""
    from core.border import archives

    folder = Path("tmp").resolve() / "package"
    folder.mkdir()
    with archives.walk(IN / request.package) as archive:
        for name in archive.names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            archive.copy(name, folder / name)
    recorded = (IN / request.recorded).read_bytes()
    out = OUT.resolve() / ANSWERS
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        ran = suite(TESTS)
        cause = diagnosed(recorded) if ran.failed else ""
        raw = raw_samples() if Path(SAMPLES).exists() else None
        found = replayed()
    answered, finite = directly(recorded, out)
    words = f"{cause} ({ran.words})" if cause else ran.words
    return Rehearsed(ran.tests, ran.failed, words, found["cases"], float(found["largest"]), answered, finite, raw)


def replayed() -> dict[str, Any]:
    """Replay the recorded calls as verify.py does; a package that does not answer one has no case, which is no test."""
    card = json.loads(Path("card.json").read_text())
    try:
        return dict(importlib.import_module("verify").replay(importlib.import_module(TESTS).answers(), card))
    except Exception:
        return {"cases": 0, "largest": 0.0}


def suite(name: str) -> Ran:
    """Run one file of tests."""
    result = unittest.TextTestRunner(stream=io.StringIO()).run(unittest.defaultTestLoader.loadTestsFromName(name))
    bad = [words for _, words in (*result.errors, *result.failures)]
    return Ran(
        result.testsRun,
        len(bad),
        bad[-1].strip().splitlines()[-1].removeprefix("AssertionError: ")[:400] if bad else "",
    )


def diagnosed(recorded: bytes) -> str:
    """Return why the package answers otherwise than was recorded, where the answers tell; empty where they do not."""
    from core.proof import causes
    from core.web import recorded as book

    head, body = book.split(recorded)
    calls = [
        {name: array(one, body) for name, one in zip(head["inputs"], case["inputs"], strict=True)}
        for case in head["cases"]
    ]
    ask = importlib.import_module(TESTS).answers()
    if found := causes.of_batches(ask, calls):
        return found
    before, after = [], []
    for call, case in zip(calls, head["cases"], strict=True):
        with contextlib.suppress(Exception):
            after.append([plain(one) for one in ask(call)])
            before.append([array(one, body) for one in case["outputs"]])
    outputs = range(len(before[0])) if before else range(0)
    said = (causes.of([one[place] for one in before], [one[place] for one in after]) for place in outputs)
    return next(filter(None, said), "")


def raw_samples() -> RawRan:
    """Run the tests of the steps, and have the package answer each recorded sample."""
    ran, meanings = suite(TASK_TESTS), []
    with contextlib.suppress(Exception):  # what does not answer has failed its tests
        task, tests, model = (importlib.import_module("task"), importlib.import_module(TASK_TESTS), importlib.import_module("predict").Model())  # fmt: skip
        for sample in json.loads(Path(SAMPLES).read_text()):
            meant = task.meaning(task.answered(model, [tests.raw(sample)]), max(1, len(sample["words"])))
            words, numbers = tests.spoken(meant)
            meanings.append(Meaning(tuple(map(str, words)), tuple(map(float, numbers))))
    return RawRan(ran.tests, ran.failed, ran.words, tuple(meanings))


def directly(recorded: bytes, out: Path) -> tuple[tuple[int, ...], Count]:
    """Ask ONNX Runtime itself the recorded inputs, on one thread, and write what it answers; return the places of those it took, and how many of these are finite where the source's answers are.

    An input that the source takes and the export does not was judged by the proof.
    """
    import onnxruntime

    from core.web import recorded as book

    signature = importlib.import_module("predict").SIGNATURE
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(signature["file"], options, providers=["CPUExecutionProvider"])
    named = [(spec["name"], object if spec["dtype"] == "str" else spec["dtype"]) for spec in signature["inputs"]]
    outputs = tuple(spec["name"] for spec in signature["outputs"])
    head, body = book.split(recorded)
    order = head["inputs"] if set(head["inputs"]) == {name for name, _ in named} else [name for name, _ in named]
    taken, cases, spoilt = [], [], 0
    for place, case in enumerate(head["cases"]):
        given = dict(zip(order, (array(one, body) for one in case["inputs"]), strict=True))
        with contextlib.suppress(Exception):
            answers = session.run(list(outputs), {name: given[name].astype(kind) for name, kind in named})
            cases.append(book.Replayed(case["name"], case["what"], 1, [], [plain(one) for one in answers]))
            taken.append(place)
            spoilt += not as_finite([array(one, body) for one in case["outputs"]], answers)
    out.write_bytes(book.pack((), outputs, cases, LARGEST))
    return tuple(taken), Count(len(taken) - spoilt, len(taken))


def as_finite(before: "list[np.ndarray]", after: "list[np.ndarray]") -> bool:
    """Say whether answers are finite wherever those before are; other shapes are no business of this one."""
    import numpy as np

    pairs = [(a, np.asarray(b)) for a, b in zip(before, after, strict=False) if a.dtype.kind == "f"]
    return all(
        a.shape != b.shape or not (np.isfinite(a) & ~np.isfinite(b)).any() for a, b in pairs if b.dtype.kind == "f"
    )


def array(one: dict[str, Any], body: bytes) -> "np.ndarray":
    """Return a recorded array."""
    import numpy as np

    if "values" in one:
        return np.array(one["values"], dtype=np.str_).reshape(one["shape"])
    whole = np.frombuffer(
        body, dtype=one["dtype"], count=one["bytes"] // np.dtype(one["dtype"]).itemsize, offset=one["at"]
    )
    return whole.reshape(one["shape"])


def plain(value: Any) -> "np.ndarray":
    """Return an answer as an array that can be written down."""
    import numpy as np

    found = np.asarray(value)
    return found.astype(np.str_) if found.dtype.kind == "O" else found


CALL = Call("rehearse", Request, Rehearsed, work)


def ask(bench: "Bench", package: str, recorded: str) -> "tuple[Rehearsed, Blob]":
    """Run the tests once, in a process that has loaded nothing before; returns the engine's answers too."""
    with bench.call(CALL, Request(PACKAGE, RECORDED), {PACKAGE: package, RECORDED: recorded}, "bare", WORKING) as done:
        return done.value, bench.keep(done.folder / ANSWERS)
