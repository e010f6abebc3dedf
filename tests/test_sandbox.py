"""The frame around a child: limits, cancel, crashes, lies, noise, and that nothing is left behind."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.calls.table import NAMES, call
from core.domain.codec import encode
from core.domain.errors import Cancelled, Crashed, OverLimit, PortolanError, Refused, Unavailable
from core.domain.limits import MB, READING, THREADS, WORKING, Limits
from core.doors.worker import WORKS
from core.sandbox import Sandbox, pids, scratch
from core.sandbox.template import MOST_CHILDREN, Template

ROOT = Path(__file__).parents[1]
SMALL = Limits(wall_seconds=20, cpu_seconds=10, memory_mb=600, file_mb=32)
SHORT = Limits(wall_seconds=1, cpu_seconds=10, memory_mb=600, file_mb=32)


STRANGERS: set[int] = set()
"""Processes that other tests had started before these."""


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    STRANGERS.update(child.pid for child in psutil.Process().children(recursive=True))
    box = Sandbox(tmp_path_factory.mktemp("scratch"), "tests.hostile.attacks")
    yield box
    box.close()
    assert not box._folder.exists()
    assert not our_children()


@pytest.fixture(autouse=True)
def nothing_left(sandbox: Sandbox) -> Iterator[None]:
    """After each test only spares and their templates live, each with its own folder."""
    yield
    assert sandbox.isolation.full
    spares = [spare.child.result() for spare in list(sandbox._spares.values())]
    left = [*spares, *(kind._template for kind in sandbox._kinds.values() if kind._template)]
    assert {path for path in sandbox._folder.iterdir() if path.is_dir()} == {one.folder for one in left}
    assert {child.pid for child in our_children()} - {one.pid for one in left} == set()


def our_children() -> list[psutil.Process]:
    """Return the children of this process that run the worker of these tests, dead but not waited for included."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if child.pid in STRANGERS:
                continue
            if child.status() == psutil.STATUS_ZOMBIE or "tests.hostile.attacks" in child.cmdline():
                found.append(child)
    return found


def is_running(process: psutil.Process) -> bool:
    """Say whether a process still runs; one that is dead but not yet waited for by the system does not."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ask(sandbox: Sandbox, task: str, limits: Limits = SMALL, kind: str = "bare", **args: Any) -> dict[str, Any]:
    with sandbox.run(task, args, {"model": Path(__file__)}, limits, kind=kind) as done:
        return done.value


def timed(sandbox: Sandbox, task: str, limits: Limits, kind: str = "bare", **args: Any) -> tuple[PortolanError, float]:
    started = time.monotonic()
    with pytest.raises(PortolanError) as caught:
        ask(sandbox, task, limits, kind, **args)
    return caught.value, time.monotonic() - started


def test_answer_files_and_cost(sandbox: Sandbox) -> None:
    told: list[tuple[float | None, str]] = []
    with sandbox.run(
        "honest", {}, {"model": Path(__file__)}, SMALL, progress=lambda *event: told.append(event)
    ) as done:
        assert done.value["late"]
        assert (done.folder / "copy").read_bytes() == Path(__file__).read_bytes()
        assert 0 < done.seconds < 20
        assert 10 < done.peak_rss_mb < 600
        folder = done.folder
    assert told == [(0.5, "half")]
    assert not folder.exists()


def test_the_wall_clock_ends_a_sleep(sandbox: Sandbox) -> None:
    error, seconds = timed(sandbox, "hang", SHORT)
    assert isinstance(error, OverLimit)
    assert error.message == "The job took longer than the limit of 1 s."
    assert seconds < 3


def test_the_wall_clock_ends_a_loop(sandbox: Sandbox) -> None:
    error, seconds = timed(sandbox, "spin", SHORT)
    assert isinstance(error, OverLimit)
    assert seconds < 3


def test_processor_time_is_bounded(sandbox: Sandbox) -> None:
    error, _ = timed(sandbox, "spin", Limits(wall_seconds=20, cpu_seconds=1, memory_mb=600, file_mb=32))
    assert isinstance(error, OverLimit)
    assert "processor time" in error.message


def test_memory_bomb_names_the_limit(sandbox: Sandbox) -> None:
    error, seconds = timed(sandbox, "eat", SMALL)
    assert isinstance(error, OverLimit)
    assert "600 MB" in error.message
    assert seconds < 10


def test_the_watchdog_sees_memory_that_no_rlimit_counts(sandbox: Sandbox) -> None:
    with pytest.raises(OverLimit, match=r"uses \d+ MB of memory; the limit is 600 MB"):
        ask(sandbox, "map_files", Limits(wall_seconds=20, cpu_seconds=10, memory_mb=600, file_mb=2000), size=500)


def test_one_large_file(sandbox: Sandbox) -> None:
    error, _ = timed(sandbox, "big_file", SMALL)
    assert isinstance(error, OverLimit)
    assert "32 MB" in error.message


@pytest.mark.parametrize("size", [1 << 20, 0])
def test_many_files(sandbox: Sandbox, size: int) -> None:
    error, _ = timed(sandbox, "fill", SMALL, size=size)
    assert isinstance(error, OverLimit)
    assert "of files; the limit is 32 MB" in error.message


def test_holes_count_as_what_they_read_as(sandbox: Sandbox) -> None:
    """A copy of such a file has no holes, and whoever keeps it writes them all; the child is gone before the first look."""
    assert ask(sandbox, "sparse", files=3, size=10) == {}
    error, _ = timed(sandbox, "sparse", SMALL, files=10, size=20)
    assert isinstance(error, OverLimit)
    assert error.message == "This writes 200 MB of files; the limit is 32 MB."


def test_a_crowd_of_threads_is_dissolved(sandbox: Sandbox) -> None:
    assert ask(sandbox, "crowd", replace(SMALL, memory_mb=4096), threads=100) == {}
    error, seconds = timed(sandbox, "crowd", replace(SMALL, memory_mb=4096), threads=8000)
    assert isinstance(error, OverLimit)
    assert f"threads; the limit is {THREADS}" in error.message
    assert seconds < 4


def test_the_kernel_bounds_threads_where_it_may_be_asked(sandbox: Sandbox) -> None:
    with subprocess.Popen(["sleep", "0.2"]) as sleeper:
        bound = pids.Bound(sleeper.pid)
        possible = bound.set(1)
        sleeper.wait()
    bound.remove()
    if not possible:
        pytest.skip("this user may not make a control group for processes")
    assert sandbox.isolation.full  # its own test has ended
    said: list[str] = []
    limits = replace(SMALL, memory_mb=4096, threads=100)
    with (
        pytest.raises(OverLimit, match="threads; the limit is 100"),
        sandbox.run("crowd", {"threads": 8000}, {}, limits, kind="bare", progress=lambda _, text: said.append(text)),
    ):
        pass
    most = 100 + pids.SPARE
    assert said == [] or int(said[0].split()[-1]) < most
    assert all(psutil.pid_exists(int(group.name.rsplit("-", 1)[1])) for group in groups())  # those of the spares


def groups() -> list[Path]:
    """Return the control groups that are left of this process's children."""
    return [group for own in pids._own() for group in own.glob(f"portolan-{os.getpid()}-*")]


def test_printing_without_end_has_an_end(sandbox: Sandbox) -> None:
    error, seconds = timed(sandbox, "shout", SMALL)
    assert isinstance(error, Crashed)
    assert "more data than any answer needs" in error.message
    assert seconds < 10


def test_folders_too_deep_for_any_path_are_cleared(sandbox: Sandbox) -> None:
    with contextlib.suppress(OverLimit):
        ask(sandbox, "nest", depth=6000)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGILL", "SIGBUS", "SIGFPE"])
def test_a_crash_is_named(sandbox: Sandbox, name: str) -> None:
    error, _ = timed(sandbox, "crash", SMALL, signal=name)
    assert isinstance(error, Crashed)
    assert name in error.message
    assert error.next_step


def test_death_by_the_system_is_want_of_memory(sandbox: Sandbox) -> None:
    error, _ = timed(sandbox, "crash", SMALL, signal="SIGKILL")
    assert isinstance(error, OverLimit)


@pytest.mark.parametrize(("politely", "words"), [(True, "SystemExit: gone"), (False, "exit code 7")])
def test_leaving_without_an_answer(sandbox: Sandbox, politely: bool, words: str) -> None:
    error, _ = timed(sandbox, "leave", SMALL, politely=politely)
    assert isinstance(error, Crashed)
    assert words in error.message


def test_noise_is_no_answer_and_its_end_is_kept(sandbox: Sandbox) -> None:
    assert ask(sandbox, "noise") == {"quiet": True}
    error, _ = timed(sandbox, "noisy_crash", SMALL)
    assert error.__notes__[0].endswith("the last words")
    assert len(error.__notes__[0]) <= 8192


HOSTILE_LINES = {
    "not JSON": ("what?\n", 1),
    "not an object": ("[1]\n", 1),
    "no event": ('{"value": 1}\n', 1),
    "event of a wrong type": ('{"event": {}}\n', 1),
    "nested without end": ("[" * 200_000 + "\n", 1),
    "endless number": ('{"event": "result", "value": ' + "9" * 10_000 + "}\n", 1),
    "not UTF-8": ("\udcff\n", 1),
    "line without end": ("x" * 100_000, 1000),
    "events without end": ('{"event": "progress", "text": "' + "x" * 1000 + '"}\n', 100_000),
    "small events without end": ('{"event":"progress"}\n' * 100, 1000),
    "answer that is no object": ('{"event": "result", "value": [1]}\n', 1),
}


@pytest.mark.parametrize("name", HOSTILE_LINES)
def test_hostile_lines_end_in_one_sentence(sandbox: Sandbox, name: str) -> None:
    text, times = HOSTILE_LINES[name]
    error, seconds = timed(sandbox, "say", SMALL, text=text, times=times, then=30)
    assert isinstance(error, Crashed)
    assert "hostile" in error.next_step
    assert seconds < 15


def test_an_error_of_the_child_is_bounded_and_of_a_known_kind(sandbox: Sandbox) -> None:
    line = json.dumps({"event": "error", "kind": "__class__", "message": "m" * 100_000, "next_step": {"a": 1}})
    error, _ = timed(sandbox, "say", SMALL, text=line + "\n", times=1)
    assert type(error) is Crashed
    assert len(error.message) == 1001  # and its full stop


def test_progress_is_throttled_and_clean(sandbox: Sandbox) -> None:
    told: list[tuple[float, float | None, str]] = []
    with sandbox.run(
        "chatter", {}, {}, SMALL, kind="bare", progress=lambda f, t: told.append((time.monotonic(), f, t))
    ) as done:
        assert done.value == {}
    gaps = [later[0] - sooner[0] for sooner, later in itertools.pairwise(told)]
    assert told
    assert min(gaps) >= 0.09
    assert all(f is None or 0 <= f <= 1 for _, f, _ in told)
    assert all(len(text) <= 200 for _, _, text in told)


def test_an_error_of_the_caller_ends_the_child(sandbox: Sandbox) -> None:
    def fail(fraction: float | None, text: str) -> None:
        raise ZeroDivisionError(text)

    with pytest.raises(ZeroDivisionError), sandbox.run("hang", {}, {}, SMALL, kind="bare", progress=fail):
        pass
    with pytest.raises(ZeroDivisionError), sandbox.run("environment", {}, {}, SMALL, kind="bare"):
        raise ZeroDivisionError


def test_cancel_is_quick(sandbox: Sandbox) -> None:
    cancel, pids = threading.Event(), []

    def stop(fraction: float | None, text: str) -> None:
        pids.append(int(text))
        cancel.set()

    started = time.monotonic()
    with pytest.raises(Cancelled), sandbox.run("hang", {}, {}, SMALL, kind="bare", progress=stop, cancel=cancel):
        pass
    assert time.monotonic() - started < 5
    assert not psutil.pid_exists(pids[0])


def test_cancel_before_the_start(sandbox: Sandbox) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled), sandbox.run("hang", {}, {}, SMALL, cancel=cancel):
        pass


def test_a_refusal_of_the_child_is_a_refusal_here(sandbox: Sandbox) -> None:
    with pytest.raises(Refused) as caught, sandbox.run("refuse", {}, {}, SMALL, kind="bare"):
        pass
    assert encode(caught.value.trouble) == {"kind": "refused", "message": "No.", "next_step": "Ask again."}


def test_a_missing_library_says_so(sandbox: Sandbox) -> None:
    error, _ = timed(sandbox, "honest", SMALL, kind="missing")
    assert isinstance(error, Unavailable)
    assert "a_library_that_is_not_there" in error.message


def test_a_kind_that_cannot_start(sandbox: Sandbox) -> None:
    error, _ = timed(sandbox, "honest", SMALL, kind="broken")
    assert isinstance(error, Crashed)


def test_a_dead_spare_is_replaced(sandbox: Sandbox) -> None:
    ask(sandbox, "noise")
    spare = sandbox._spares["bare"].child.result()
    os.kill(spare.pid, signal.SIGKILL)
    while spare.exit_code() is None:
        time.sleep(0.01)
    assert ask(sandbox, "environment")["pid"] != spare.pid
    assert not spare.folder.exists()


def test_a_spare_that_nobody_wants_is_given_back(sandbox: Sandbox) -> None:
    ask(sandbox, "noise")
    spare = sandbox._spares["bare"].child.result()
    sandbox._retire("bare")
    assert "bare" not in sandbox._spares
    assert not spare.folder.exists()


def test_many_at_once(sandbox: Sandbox) -> None:
    answers: list[int] = []

    def one() -> None:
        answers.append(ask(sandbox, "environment")["pid"])

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == 8


@pytest.mark.parametrize("name", ["a link", "a folder", "a second name of a file"])
def test_only_plain_files_come_back(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "artifact").write_text("fine")
    scratch.only_plain_files(out)
    if name == "a link":
        (out / "x").symlink_to("/etc/passwd")
    elif name == "a folder":
        (out / "x").mkdir()
    else:
        (out / "x").hardlink_to(out / "artifact")
    with pytest.raises(Crashed):
        scratch.only_plain_files(out)


def test_folders_of_dead_processes_are_cleared(tmp_path: Path) -> None:
    (tmp_path / "999999999-12-abc" / "in").mkdir(parents=True)
    (tmp_path / "something").mkdir()
    mine = scratch.claim(tmp_path)
    again = scratch.claim(tmp_path)
    assert set(tmp_path.iterdir()) == {mine, again}


def test_clearing_follows_no_link(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("stay")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(kept)
    (folder / "locked").mkdir(mode=0)
    scratch.remove(folder)
    assert not folder.exists()
    assert (kept / "file").read_text() == "stay"


def test_close_stops_work_at_once(tmp_path: Path) -> None:
    box = Sandbox(tmp_path, "tests.hostile.attacks")
    errors: list[BaseException] = []
    hanging = threading.Event()

    def work() -> None:
        try:
            with box.run("hang", {}, {}, SMALL, kind="bare", progress=lambda *event: hanging.set()):
                pass
        except PortolanError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert hanging.wait(20)
    box.close()
    thread.join(5)
    assert [type(error) for error in errors] == [Cancelled]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(Cancelled), box.run("hang", {}, {}, SMALL):
        pass


def test_a_child_that_is_being_forked_when_its_sandbox_closes_is_not_lost(tmp_path: Path) -> None:
    """One whose id nobody heard was adopted all the same, and stayed a dead process that nobody waited for."""
    template = Template("tests.hostile.attacks", "bare", scratch.fresh(tmp_path))
    with open(os.devnull, "r+b") as nothing, ThreadPoolExecutor(1) as thread:  # noqa: PTH123 -- no path of ours
        ends = (nothing.fileno(),) * 3
        template.fork(scratch.fresh(tmp_path), ends).wait()
        os.kill(template.pid, signal.SIGSTOP)
        closing = thread.submit(hung_up, template)
        assert template.fork(scratch.fresh(tmp_path), ends).wait() == 0
        closing.result()
    template.stop()


def hung_up(template: Template) -> None:
    """Hang up as soon as the stopped template was asked for one more child, then let it go on."""
    while template.left == MOST_CHILDREN - 1:
        time.sleep(0.001)
    template.hang_up()
    os.kill(template.pid, signal.SIGCONT)


def test_children_die_with_a_killed_parent(tmp_path: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.server", str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout
    hanging = int(server.stdout.readline())
    children = psutil.Process(server.pid).children()
    assert hanging in {child.pid for child in children}
    server.kill()
    server.wait()
    server.stdout.close()
    deadline = time.monotonic() + 1
    while any(is_running(child) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    left = scratch.claim(tmp_path)
    assert list(tmp_path.iterdir()) == [left]


def test_the_table_of_tasks() -> None:
    verbs = {
        "inspect",
        "convert",
        "probe",
        "compare",
        "diverge",
        "evaluate",
        "compress",
        "race",
        "footprint",
        "pack",
        "kernels",
        "weights",
        "correspond",
        "differ",
        "training_cost",
        "features",
        "timing",
        "cold_start",
        "macs",
        "operators",
        "curves",
        "growth",
        "spent",
        "stages",
        "float64",
        "sensitivity",
        "answers",
        "attempt",
        "fit",
        "rehearse",
        "preview",
        "likely",
        "raw_samples",
        "figures",
        "self_test",
    }
    assert set(WORKS) == verbs
    assert all(row.work.__doc__ and row.request.__doc__ for row in map(call, NAMES))


def test_warm_dispatch_is_quick(sandbox: Sandbox) -> None:
    """Beside the start of a bare interpreter, which costs about as much; a child that imports anew costs fifty times that."""
    ask(sandbox, "noise")
    bare, warm = [], []
    for _ in range(5):
        bare.append(elapsed(lambda: subprocess.run([sys.executable, "-S", "-c", ""], check=True)))
        warm.append(elapsed(lambda: ask(sandbox, "environment")))
    assert min(warm) < 10 * min(bare)


def elapsed(act: Callable[[], object]) -> float:
    """Return the seconds that an act takes."""
    started = time.monotonic()
    act()
    return time.monotonic() - started


@pytest.mark.parametrize("task", ["spin", "eat"])
def test_a_neighbour_is_not_hurt(sandbox: Sandbox, task: str) -> None:
    thread = threading.Thread(target=lambda: timed(sandbox, task, SHORT))
    thread.start()
    with sandbox.run("honest", {}, {"model": Path(__file__)}, SMALL) as done:
        assert done.value["sum"] == 90000
    thread.join()


def test_a_job_that_is_taken_stops_the_clock_of_its_spare(sandbox: Sandbox) -> None:
    for _ in range(3):
        ask(sandbox, "noise")
    deadline = time.monotonic() + 10
    while len(timers_of(sandbox)) > len(sandbox._spares):  # one that was stopped ends a moment later
        assert time.monotonic() < deadline
        time.sleep(0.01)


def timers_of(sandbox: Sandbox) -> list[threading.Timer]:
    """Return the clocks that run for a sandbox; others of this process have their own."""
    timers = (one for one in threading.enumerate() if isinstance(one, threading.Timer))
    return [one for one in timers if getattr(one.function, "__self__", None) is sandbox]


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    box = Sandbox(tmp_path, "tests.hostile.attacks")
    assert box.isolation.full
    scratch.remove(box._folder)
    with pytest.raises(OverLimit, match="could not be started"), box.run("hang", {}, {}, SMALL, kind="torch"):
        pass
    box.close()


def test_large_inputs_are_copied_whole(sandbox: Sandbox, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.write_bytes(os.urandom(20 * MB + 1))
    with sandbox.run("honest", {}, {"model": model}, Limits(file_mb=100)) as done:
        assert (done.folder / "copy").read_bytes() == model.read_bytes()
        assert (done.folder / "copy").stat().st_ino != model.stat().st_ino


@pytest.mark.parametrize("limits", [SHORT, replace(SHORT, nice=0)])
def test_long_work_stands_back_behind_the_server_and_brief_work(sandbox: Sandbox, limits: Limits) -> None:
    found: list[int] = []
    group = Path("/proc/self/autogroup").exists()

    def look(fraction: float | None, text: str) -> None:
        found.append(psutil.Process(int(text)).nice())
        if group:  # what Linux looks at first between sessions
            found.append(int(Path(f"/proc/{text}/autogroup").read_text().split()[-1]))

    with pytest.raises(OverLimit), sandbox.run("hang", {}, {}, limits, progress=look):
        raise AssertionError("it sleeps for ever")
    assert found == [psutil.Process().nice() + limits.nice, *([limits.nice] if group else [])]
    assert (WORKING.nice, READING.nice) == (5, 0)
