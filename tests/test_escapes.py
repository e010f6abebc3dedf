"""Hostile files in the hands of careless loaders: whatever runs, runs in the jail, and nothing outside changes."""

import os
import pickle
import shutil
import socket
import subprocess
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from core.domain.errors import PortolanError
from core.domain.limits import Limits
from core.sandbox import Sandbox
from tests.formats import test_onnx, test_onnx_external
from tests.test_pickles import GADGETS, Calls

LIMITS = Limits(wall_seconds=12, cpu_seconds=12, memory_mb=2048, file_mb=64)

PAYLOADS: dict[str, Callable[[Path, int], Calls]] = {
    "shell": lambda canary, port: Calls(os.system, f"touch {canary}"),
    "process": lambda canary, port: Calls(subprocess.check_call, ["touch", str(canary)]),
    "code": lambda canary, port: Calls(exec, f"open({str(canary)!r}, 'w').write('x')"),
    "open": lambda canary, port: Calls(open, str(canary), "w"),
    "pathlib": lambda canary, port: Calls(Path.touch, canary),
    "copy": lambda canary, port: Calls(shutil.copy, "/etc/passwd", str(canary)),
    "steal": lambda canary, port: Calls(shutil.copy, "/etc/passwd", "out/passwd"),
    "socket": lambda canary, port: Calls(socket.create_connection, ("127.0.0.1", port), 2),
    "signal": lambda canary, port: Calls(os.kill, os.getpid(), 0),
    "fork": lambda canary, port: Calls(os.fork),
}

SAVERS: dict[str, Callable[[Calls, Path], object]] = {
    "pickle": lambda value, path: path.write_bytes(pickle.dumps(value)),
    "joblib": lambda value, path: path.write_bytes(zlib.compress(pickle.dumps(value))),
    "torch": lambda value, path: torch.save(value, path),
}


@pytest.fixture(scope="module")
def careless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox whose children load without care."""
    box = Sandbox(tmp_path_factory.mktemp("scratch"), "tests.hostile.loaders")
    yield box
    box.close()


@pytest.fixture
def ear() -> Iterator[socket.socket]:
    """A listener that nobody should reach."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        yield listener


def load(box: Sandbox, path: Path, loader: str) -> str:
    """Load a file carelessly in the jail, check that nothing was stolen, and say how that ended."""
    try:
        with box.run("load", {"loader": loader}, {"model": path}, LIMITS, kind="light") as done:
            assert not (done.folder / "passwd").exists()
            assert not (done.folder.parent / "canary").exists()
            return str(done.value["ended"])
    except PortolanError as error:
        return error.kind


@pytest.mark.slow
@pytest.mark.parametrize("loader", SAVERS)
def test_code_that_runs_reaches_nothing(careless: Sandbox, tmp_path: Path, ear: socket.socket, loader: str) -> None:
    ends = Counter()
    for name, payload in PAYLOADS.items():
        path, canary = tmp_path / f"{name}.bin", tmp_path / "canary"
        SAVERS[loader](payload(canary, ear.getsockname()[1]), path)
        ends[load(careless, path, loader)] += 1
        assert not canary.exists(), name
    with pytest.raises(TimeoutError):
        ear.accept()
    assert ends.total() == len(PAYLOADS)
    assert "TypeError" not in ends, "a payload did not run at all"
    print(f"{loader}: {dict(ends)}")


@pytest.mark.slow
def test_gadgets_reach_nothing(careless: Sandbox, tmp_path: Path) -> None:
    ends = Counter()
    for name, gadget in GADGETS.items():
        path = tmp_path / "gadget.bin"
        path.write_bytes(gadget())
        ends[load(careless, path, "pickle")] += 1
        assert not (tmp_path / "canary").exists(), name
    print(f"{len(GADGETS)} gadgets: {dict(ends)}")


@pytest.mark.slow
@pytest.mark.parametrize("loader", ["checker", "onnxruntime"])
def test_hostile_onnx_ends_in_bounded_time(careless: Sandbox, tmp_path: Path, loader: str) -> None:
    ends = Counter()
    corpus = {**test_onnx.HOSTILE, **{f"external {k}": v for k, v in test_onnx_external.HOSTILE.items()}}
    for make in corpus.values():
        path = tmp_path / "model.onnx"
        path.write_bytes(make().SerializeToString())
        ends[load(careless, path, loader)] += 1
    assert ends.total() == len(corpus)
    print(f"{len(corpus)} ONNX files by {loader}: {dict(ends)}")
