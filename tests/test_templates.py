"""Children that are forked: each has a place and a memory of its own, libraries work in it, and the template heals and ends."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import psutil
import pytest

from core.domain.errors import Cancelled
from core.domain.limits import Limits
from core.sandbox import Sandbox, template
from core.sandbox.template import Forked, Template

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="children are forked on Linux only")

ROOT = Path(__file__).parents[1]
SMALL = Limits(wall_seconds=60, cpu_seconds=60, memory_mb=1500, file_mb=32)
NOISE = "agraph () => (float[3] y) { y = RandomNormal <shape: ints = [3]> () }"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    box = Sandbox(tmp_path_factory.mktemp("scratch"), "tests.hostile.attacks")
    assert box.isolation.full
    yield box
    box.close()


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """A model whose answers are drawn anew."""
    path = tmp_path / "noise.onnx"
    path.write_bytes(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {NOISE}').SerializeToString())
    return path


def ask(sandbox: Sandbox, task: str, kind: str = "bare", model: Path | None = None, **args: Any) -> dict[str, Any]:
    with sandbox.run(task, args, {"model": model or Path(__file__)}, SMALL, kind=kind) as done:
        return done.value


def template_of(sandbox: Sandbox, kind: str = "bare") -> Template:
    """Return the template, once the spare that it forks is there."""
    sandbox._spares[kind].child.result()
    found = sandbox._kinds[kind]._template
    assert found
    return found


def test_children_are_forked_and_adopted(sandbox: Sandbox) -> None:
    ask(sandbox, "noise")
    spare = sandbox._spares["bare"].child.result()
    assert isinstance(spare._process, Forked)
    assert psutil.Process(spare.pid).ppid() == os.getpid()
    assert template_of(sandbox).pid != spare.pid
    answer = ask(sandbox, "environment")
    assert answer["pid"] == spare.pid
    assert not psutil.pid_exists(spare.pid)


def test_orphans_of_others_are_not_adopted(sandbox: Sandbox) -> None:
    ask(sandbox, "noise")
    template_of(sandbox)
    held = ctypes.c_int(7)
    ctypes.CDLL(None).prctl(template.PR_GET_CHILD_SUBREAPER, ctypes.byref(held), 0, 0, 0)
    assert held.value == 0


def test_a_child_has_a_place_of_its_own(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(sandbox, "noise", "remembering")
    first = template_of(sandbox, "remembering")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    ask(sandbox, "noise", "remembering")
    seen = ask(sandbox, "surroundings", "remembering")
    assert template_of(sandbox, "remembering") is first
    assert seen["folder"] != str(first.folder)
    assert seen["temporary"] == seen["environ"]["TMPDIR"] == seen["environ"]["HOME"] == f"{seen['folder']}/tmp"
    assert seen["environ"]["TZ"] == "Asia/Tokyo"
    assert seen["group"] == seen["session"] == seen["pid"]
    assert seen["parent"] == os.getpid()


def test_a_child_has_what_one_that_was_started_has(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forked = ask(sandbox, "surroundings", "light")
    monkeypatch.setattr(sys, "platform", "a system without templates")
    box = Sandbox(tmp_path, "tests.hostile.attacks")
    monkeypatch.undo()
    started = ask(box, "surroundings", "light")
    box.close()
    for name in ("descriptors", "umask", "signals", "parent", "dies_by"):
        assert forked[name] == started[name]
    assert forked["dies_by"] == signal.SIGKILL
    assert forked["file_pages"] == pytest.approx(started["file_pages"], rel=0.1)
    assert set(forked["descriptors"].values()) == {"pipe"}
    assert forked["environ"].keys() == started["environ"].keys()


def test_children_see_neither_memory_nor_files_of_one_another(sandbox: Sandbox) -> None:
    first = template_of(sandbox) if "bare" in sandbox._spares else None
    for _ in range(3):
        assert ask(sandbox, "leave_behind") == {"found": []}
    assert first is None or template_of(sandbox) is first


def test_no_two_children_draw_the_same(sandbox: Sandbox, noise: Path) -> None:
    one, other = (ask(sandbox, "draw", "remembering", noise) for _ in range(2))
    assert one.keys() == other.keys()
    assert not [name for name in one if one[name] == other[name]]


def test_a_child_cannot_reach_its_template(sandbox: Sandbox) -> None:
    ask(sandbox, "noise")
    errors = ask(sandbox, "reach", pid=template_of(sandbox).pid)["errors"]
    assert set(errors.values()) <= {1, 13}, errors


def test_engines_use_their_threads_in_a_fork(sandbox: Sandbox, sample_models: Path) -> None:
    for _ in range(2):
        trained = ask(sandbox, "run_torch", "torch")
        assert trained["sum"] == 600.0**3
        assert trained["losses"][1] < trained["losses"][0]
        assert trained["threads"] > 2  # the watch of the parent is one
        ran = ask(sandbox, "run_onnx", "light", sample_models / "fashion_cnn" / "model.onnx")
        assert ran["threads"] > 2
        fitted = ask(sandbox, "run_sklearn", "sklearn")
        assert fitted["boosted"] == pytest.approx(10000, abs=100)
        assert fitted["forest"] == pytest.approx(10000, abs=100)
        assert fitted["threads"] > 2
    for kind in ("torch", "light", "sklearn"):
        assert isinstance(sandbox._spares[kind].child.result()._process, Forked)


def test_a_killed_template_heals(sandbox: Sandbox) -> None:
    ask(sandbox, "noise")
    first = template_of(sandbox)
    os.kill(first.pid, signal.SIGKILL)
    assert ask(sandbox, "noise") == {"quiet": True}
    second = template_of(sandbox)
    assert second.pid != first.pid
    assert isinstance(sandbox._spares["bare"].child.result()._process, Forked)
    assert not first.folder.exists()


def test_a_template_that_hangs_is_replaced(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "FORK_SECONDS", 0.3)
    ask(sandbox, "noise", "small")
    first = template_of(sandbox, "small")
    os.kill(first.pid, signal.SIGSTOP)
    ask(sandbox, "noise", "small")
    assert not isinstance(sandbox._spares["small"].child.result()._process, Forked)
    ask(sandbox, "noise", "small")
    assert template_of(sandbox, "small").pid != first.pid
    assert isinstance(sandbox._spares["small"].child.result()._process, Forked)


def test_a_template_forks_a_bounded_number_of_children(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "MOST_CHILDREN", 2)
    sandbox._retire("bare")
    pids = []
    for _ in range(5):
        ask(sandbox, "noise")
        pids.append(template_of(sandbox).pid)
    assert len(set(pids)) >= 2
    assert max(pids.count(pid) for pid in pids) <= 2
    sandbox._retire("bare")


def test_libraries_that_start_threads_are_not_forked(sandbox: Sandbox) -> None:
    child = sandbox._of("threaded").child().result()
    assert not isinstance(child._process, Forked)
    sandbox._end(child)
    assert not sandbox._kinds["threaded"]._forks
    assert sandbox._kinds["threaded"]._template is None


def test_a_kind_that_waits_is_given_back_with_its_template(sandbox: Sandbox) -> None:
    ask(sandbox, "noise")
    first = template_of(sandbox)
    sandbox._retire("bare")
    assert sandbox._kinds["bare"]._template is None
    assert not psutil.pid_exists(first.pid)
    assert not first.folder.exists()


def test_signals_are_seen_as_such(sandbox: Sandbox) -> None:
    ask(sandbox, "noise")
    for name in (signal.SIGKILL, signal.SIGSEGV):
        child = sandbox._of("bare").child().result()
        assert isinstance(child._process, Forked)
        assert child.exit_code() is None
        os.kill(child.pid, name)
        while child.exit_code() is None:
            time.sleep(0.01)
        assert child.exit_code() == -name
        assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE  # its id stays taken
        sandbox._end(child)
        assert child.exit_code() == -name
        assert not psutil.pid_exists(child.pid)


def test_a_job_that_waits_for_imports_can_be_stopped(sandbox: Sandbox) -> None:
    sandbox._retire("torch")
    cancel = threading.Event()
    threading.Timer(0.1, cancel.set).start()
    started = time.monotonic()
    with pytest.raises(Cancelled), sandbox.run("noise", {}, {}, SMALL, kind="torch", cancel=cancel):
        pass
    assert time.monotonic() - started < 0.8
    assert isinstance(sandbox._spares["torch"].child.result()._process, Forked)


def of_a_template(process: psutil.Process) -> bool:
    """Say whether a process lives and is a template or was forked from one; one that is only there for a fork may just have gone."""
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.cmdline()[-1:] == ["template"]
    return False


def test_templates_die_with_a_killed_parent(tmp_path: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.server", str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout
    hanging = int(server.stdout.readline())
    below = psutil.Process(server.pid).children(recursive=True)
    assert {hanging} < {one.pid for one in below if of_a_template(one)}
    server.kill()
    server.wait()
    server.stdout.close()
    deadline = time.monotonic() + 2
    while any(of_a_template(one) for one in below):
        assert time.monotonic() < deadline
        time.sleep(0.01)
